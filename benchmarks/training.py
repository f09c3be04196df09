"""Compare the speed of `train lm` with that of transformers' `Trainer`, on the same network, batch and number format.

    python benchmarks/training.py [--size nano|350m] [--steps 20] [--rounds 2] [--batch N] [--context N] [--device cpu]
                                  [--no-bf16] [--threads N] [--checkpointing] [--workers N]

`ours` is `spiritlm train lm` on random token lines, whose rows are made while it trains, with --workers by other
processes. `trainer` gets the same rows, made before, with positions that restart at each sequence, so that it keeps
them apart too. Both train the same Llama from random weights, clip the gradient to 1 and use AdamW. Each runs in its
own process, one after the other in each round. A round's speed is that of its median step, without the first quarter of
the steps; the fastest round counts.

Prints a line of JSON for each round, and last one with the tokens per second of both, their ratio, and the share of the
peak speed of matrix products in this number format: operations of the products of the forward and the backward pass,
per second, relative to the peak.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from spiritlm_cli.language.vocabulary_loading import load_vocabulary
from spiritlm_cli.nn.device import find_device
from spiritlm_cli.profiling.hardware import count_operations, matrix_peak
from spiritlm_cli.third_party import hide_broken_torchaudio
from spiritlm_cli.training import language_model
from spiritlm_cli.training.lanes import LaneStream, RowFormat
from spiritlm_cli.training.language_model_options import LanguageModelOptions
from spiritlm_cli.training.mixture import read_corpus, sources
from spiritlm_cli.training.starting_model import model_folder

# Widths and depths; batch and context.
SIZES: dict[str, dict[str, int]] = {
    "nano": {"dim": 256, "layers": 8, "heads": 4, "ffn": 768, "batch": 8, "context": 512},
    "350m": {"dim": 1024, "layers": 28, "heads": 16, "ffn": 2816, "batch": 2, "context": 512},
}


def write_lines(path: Path) -> None:
    """Write random token lines: 200 of about 400 units each."""
    rng = random.Random(0)
    lines = ("".join(f"[Hu{rng.randrange(501)}]" for _ in range(rng.randint(200, 600))) for _ in range(200))
    path.write_text("".join(f"[SPEECH]{line}[TEXT]a word\n" for line in lines))


def options_of(arguments: argparse.Namespace, folder: Path) -> LanguageModelOptions:
    """The options of both sides."""
    sizes = SIZES[arguments.size] | {
        name: value for name in ("batch", "context") if (value := getattr(arguments, name)) is not None
    }
    return LanguageModelOptions(
        lines=(folder / "lines.txt",), output=folder / "ours", vocabulary=300, steps=arguments.steps,
        save_every=1 << 30, device=arguments.device, bf16=arguments.bf16, checkpointing=arguments.checkpointing,
        learning_rate=1e-4, tensorboard=False, overwrite=True, workers=arguments.workers, **sizes,
    )  # fmt: skip


def run_ours(options: LanguageModelOptions) -> list[float]:
    """Train. Returns the tokens per second of each step."""
    language_model.train(options)
    lines = (options.output / "training" / "lm.metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["tokens_per_second"] for line in lines]


def new_network(options: LanguageModelOptions) -> Any:
    """The network that `run_ours` wrote, with random weights."""
    with hide_broken_torchaudio():
        from transformers import AutoConfig, AutoModelForCausalLM
    config = AutoConfig.from_pretrained(model_folder(options))
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32)


def run_trainer(options: LanguageModelOptions) -> list[float]:
    """Train with transformers' `Trainer`. Returns the tokens per second of each step."""
    with hide_broken_torchaudio():
        from transformers import Trainer, TrainerCallback, TrainingArguments

    class Clock(TrainerCallback):  # type: ignore[misc]
        times: list[float] = []  # noqa: RUF012

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            self.times.append(-time.perf_counter())

        def on_step_end(self, *_: Any, **__: Any) -> None:
            self.times[-1] += time.perf_counter()

    network = new_network(options)
    # with a cache, transformers takes no mask from positions
    network.config.use_cache = False
    form = RowFormat(
        sources(options, read_corpus(options)), load_vocabulary(model_folder(options)), options.context
    )
    drawn = next(LaneStream(form, 0, 8 * options.batch, range(8 * options.batch)))
    rows = [
        {"input_ids": ids, "labels": ids, "position_ids": positions}
        for ids, positions in zip(drawn.inputs, drawn.positions, strict=True)
    ]
    arguments = TrainingArguments(
        output_dir=str(options.output.parent / "trainer"), per_device_train_batch_size=options.batch,
        max_steps=options.steps, bf16=options.bf16, use_cpu=options.device == "cpu", max_grad_norm=1.0,
        learning_rate=1e-4, logging_steps=1, report_to="none", save_strategy="no", disable_tqdm=True,
        **({"gradient_checkpointing": True} if options.checkpointing else {}),
    )  # fmt: skip
    Trainer(model=network, args=arguments, train_dataset=rows, callbacks=[Clock()]).train()
    return [options.batch * options.context / seconds for seconds in Clock.times]


def operations_per_token(network: Any, context: int) -> float:
    """Operations of the matrix products of a forward and a backward pass, by token."""
    ids = torch.zeros((1, context), dtype=torch.int64)
    _, count = count_operations(lambda: network(input_ids=ids, labels=ids).loss.backward())
    return count / context


def measure(arguments: argparse.Namespace, side: str, folder: Path) -> float:
    """Train in another process. Returns the tokens per second of its median step."""
    command = [sys.executable, __file__, *sys.argv[1:], "--side", side, "--folder", str(folder)]
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    speeds = json.loads(result.stdout.splitlines()[-1])
    return statistics.median(speeds[len(speeds) // 4 :])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", choices=tuple(SIZES), default="nano")
    parser.add_argument("--steps", type=int, default=20, help="of each round (default 20)")
    parser.add_argument("--rounds", type=int, default=2, help="of both sides (default 2)")
    parser.add_argument("--batch", type=int, help="rows of a batch (default 8 of nano, 2 of 350m)")
    parser.add_argument("--context", type=int, help="tokens of a row (default 512)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--no-bf16", dest="bf16", action="store_false", help="compute in float32")
    parser.add_argument("--checkpointing", action="store_true", help="of gradients, on both sides")
    parser.add_argument("--threads", type=int, help="threads of each process (default PyTorch's)")
    parser.add_argument("--workers", type=int, default=0, help="processes that make the rows of `ours`")
    parser.add_argument("--side", choices=("ours", "trainer"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    if arguments.side:
        options = options_of(arguments, arguments.folder)
        print(json.dumps((run_ours if arguments.side == "ours" else run_trainer)(options)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_lines(folder / "lines.txt")
        best = {"ours": 0.0, "trainer": 0.0}
        for number in range(arguments.rounds):
            for side in best:
                speed = measure(arguments, side, folder)
                best[side] = max(best[side], speed)
                print(
                    json.dumps({"round": number, "side": side, "tokens_per_second": round(speed, 1)}),
                    flush=True,
                )
        options = options_of(arguments, folder)
        network = new_network(options)
        operations = operations_per_token(network, options.context)
        parameters = sum(p.numel() for p in network.parameters())
    dtype = torch.bfloat16 if arguments.bf16 else torch.float32
    peak = matrix_peak(find_device(arguments.device), dtype)
    print(json.dumps({
        "size": arguments.size, "parameters": parameters, "batch": options.batch, "context": options.context,
        "dtype": str(dtype).removeprefix("torch."), "device": arguments.device,
        **{side: round(speed, 1) for side, speed in best.items()},
        "ratio": round(best["ours"] / best["trainer"], 3), "peak_flops": peak,
        **{f"{side}_share": round(speed * operations / peak, 3) for side, speed in best.items()},
    }))  # fmt: skip


if __name__ == "__main__":
    main()
