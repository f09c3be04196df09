"""Measure the speed of the model `spiritlm` of EleutherAI's harness beside the harness's own model `hf`.

    python benchmarks/harness.py [--hidden 512] [--layers 8] [--batch-sizes 8 16] [--documents 16]

Both run a LLaMA with random weights on the same folder, in float32 on the CPU. Prints requests per second of each,
their ratio, and the largest difference of the log-likelihoods, for three kinds of tasks: questions with four answers of
one token, as in MMLU; beginnings with four endings, as in HellaSwag; and generation of 32 tokens. The text is random,
and a token is a byte. Needs the extra `lm-eval`, and accelerate.
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lm_eval.api.instance import Instance
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from spiritlm_cli.evaluation.lm_eval.model import SpiritLM
from spiritlm_cli.language.transformers_llama import new_network
from spiritlm_cli.third_party import hide_broken_torchaudio

with hide_broken_torchaudio():
    from lm_eval.models.huggingface import HFLM


def write_model(folder: Path, hidden: int, layers: int, vocab_size: int = 32000) -> None:
    """Write a LLaMA with random weights, and a tokenizer of bytes, units and markers."""
    tokenizer = Tokenizer(
        models.BPE({piece: i for i, piece in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, [])
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(name) for name in ("<pad>", "</s>")])
    tokenizer.add_tokens([AddedToken(name) for name in ("[Hu0]", "[Text]", "[Speech]")])
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>", "eos_token": "</s>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(names))
    torch.manual_seed(0)
    network = new_network(
        vocab_size=vocab_size, hidden_size=hidden, intermediate_size=hidden * 11 // 4, num_hidden_layers=layers,
        num_attention_heads=hidden // 64, num_key_value_heads=hidden // 64, max_position_embeddings=2048,
        bos_token_id=None, eos_token_id=257, pad_token_id=256,
    )  # fmt: skip
    with torch.no_grad():
        # text alone is likely, which is all that `spiritlm` generates
        network.lm_head.weight[256:] = 0
    network.save_pretrained(folder)


def requests(documents: int) -> dict[str, tuple[str, list[Any]]]:
    """For each kind of task the method of the harness's models, and its requests."""
    rng = random.Random(0)

    def text(shortest: int, longest: int) -> str:
        return "".join(rng.choices("abcdefgh ", k=rng.randint(shortest, longest))).strip() + "."

    def instances(method: str, arguments: list[tuple[Any, ...]]) -> tuple[str, list[Any]]:
        return method, [Instance(method, {}, one, 0) for one in arguments]

    contexts = [text(200, 600) for _ in range(documents)]
    questions = [(context, letter) for context in contexts for letter in "ABCD"]
    endings = [(context[:200], text(40, 120)) for context in contexts for _ in range(4)]
    options = {"until": ["\n\n"], "max_gen_toks": 32, "do_sample": False}
    return {
        "questions": instances("loglikelihood", questions),
        "endings": instances("loglikelihood", endings),
        "generation": instances("generate_until", [(context, options) for context in contexts]),
    }


def seconds(call: Callable[[], list[Any]]) -> tuple[float, list[Any]]:
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[8, 16])
    parser.add_argument("--documents", type=int, default=16)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_model(Path(folder), arguments.hidden, arguments.layers)
        for size in arguments.batch_sizes:
            ours = SpiritLM(pretrained=folder, device="cpu", marker=False, batch_size=size)
            hf = HFLM(pretrained=folder, device="cpu", dtype="float32", batch_size=size)
            for kind, (method, instances) in requests(arguments.documents).items():
                times, results = [], []
                for model in (ours, hf):
                    run = getattr(model, method)
                    run(instances[:4], disable_tqdm=True)  # compiles kernels
                    spent, answers = seconds(lambda run=run, part=instances: run(part, disable_tqdm=True))
                    times.append(spent)
                    results.append(answers)
                rates = [len(instances) / spent for spent in times]
                if method == "loglikelihood":
                    difference = max(abs(a[0] - b[0]) for a, b in zip(*results, strict=True))
                    same = f"largest difference {difference:.1e}"
                else:
                    same = f"{sum(a == b for a, b in zip(*results, strict=True))} of {len(instances)} texts equal"
                print(
                    f"batch {size:2d}  {kind:10s}  spiritlm {rates[0]:6.2f}/s  hf {rates[1]:6.2f}/s  "
                    f"ratio {rates[0] / rates[1]:.2f}  {same}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
