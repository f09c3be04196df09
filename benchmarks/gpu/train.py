"""Train one part of nano from a pack for a number of seconds, on whatever device there is, and measure it.

    python benchmarks/gpu/train.py lm pack.tar --seconds 200 --output out [--batch 64]
    python benchmarks/gpu/train.py hubert pack.tar --seconds 200 --output out

The number of steps follows from the speed of a few steps at the beginning, so that the schedule of the learning rate
ends when the time does. Prints one JSON object last: steps, tokens or hours of sound, and what is measured on the
held-out clips of the pack before and after. The weights are in OUTPUT, in the layout of `--model`; those of a language
model that starts from nano's are a Hugging Face folder.
"""

import argparse
import json
import lzma
import sys
import tarfile
import tempfile
import time
import types
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

# A lent machine may lack what only alignment needs; the pack has its results.
try:
    import pocketsphinx  # noqa: F401
except ImportError:
    sys.modules["pocketsphinx"] = types.SimpleNamespace(Decoder=None)  # type: ignore[assignment]

from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.errors import AlignmentError
from spiritlm_cli.language.transformers_loading import load_causal_lm
from spiritlm_cli.language.vocabulary_loading import load_vocabulary
from spiritlm_cli.nn.device import find_device
from spiritlm_cli.training import hubert, language_model, mixture, unit_selection
from spiritlm_cli.training.crops import CropSampler, draw_batch
from spiritlm_cli.training.data import load_recordings, read_labels
from spiritlm_cli.training.lanes import LaneStream, RowFormat
from spiritlm_cli.training.language_model_loss import LossFunction
from spiritlm_cli.training.language_model_options import LanguageModelOptions
from spiritlm_cli.training.options import HubertOptions, LoopOptions
from spiritlm_cli.training.starting_model import model_folder

# Share of the time that is kept for starting, saving and measuring.
RESERVE = 0.15


def unpack(pack: Path, folder: Path) -> None:
    """Unpack a file of `pack.py`."""
    with tarfile.open(pack) as tar:
        tar.extractall(folder, filter="data")
    for path in folder.glob("*.xz"):
        path.with_suffix("").write_bytes(lzma.decompress(path.read_bytes()))


class PackedPronouncer:
    """Phones of words from the pack's dictionary, in place of `Pronouncer`."""

    known: ClassVar[dict[str, list[str]]] = {}

    def __call__(self, token: str) -> tuple[str, ...]:
        if token not in self.known:
            raise AlignmentError(f"{token!r} is not in the pack")
        return tuple(self.known[token])


def timed_training(
    train: Callable[[Any], None], options: LoopOptions, trial_steps: int, seconds: float, begun: float
) -> tuple[Any, float]:
    """Train for about so many seconds since `begun`. Returns the options used, and the seconds a step took."""
    trial = options.output / "trial"
    times = []
    for steps in (trial_steps, 2 * trial_steps):
        at = time.monotonic()
        train(replace(options, output=trial, steps=steps, overwrite=True))
        times.append(time.monotonic() - at)
    step = max(1e-4, (times[1] - times[0]) / trial_steps)
    overhead = max(0.0, times[0] - trial_steps * step)
    left = seconds * (1 - RESERVE) - (time.monotonic() - begun) - overhead
    final = replace(options, steps=max(trial_steps, int(left / step)), save_every=1 << 30, overwrite=True)
    train(final)
    return final, step


def language_model_options(folder: Path, arguments: argparse.Namespace) -> LanguageModelOptions:
    phones = folder / "phones.jsonl"
    selection = {"phones": phones, "random_words": 0.8} if phones.is_file() else {}
    return LanguageModelOptions(
        manifest=folder / "clips.jsonl", units=folder / "units.jsonl", text=(folder / "text.txt",), **selection,
        output=arguments.output, **({"base": "nano"} if arguments.start_from == "nano" else {"vocabulary": 512}),
        words=16, context=arguments.context, batch=arguments.batch, attention=0.5,
        learning_rate=1e-3, optimizer="muon", device=arguments.device, workers=arguments.workers,
    )  # fmt: skip


def language_model_loss(folder: Path, weights: Path, options: LanguageModelOptions) -> dict[str, float]:
    """Mean losses over rows of held-out clips, transcripts and speech after its text among them."""
    held = replace(options, manifest=folder / "held-out.jsonl", phones=None, random_words=0.0)
    sources = mixture.sources(held, mixture.read_corpus(held))
    vocabulary = load_vocabulary(weights.parent)
    device = find_device(options.device)
    network = load_causal_lm(weights.parent, device, torch.float32)
    losses_of = LossFunction(network, sources, vocabulary, held)
    totals: dict[str, list[float]] = {}
    with torch.inference_mode():
        form = RowFormat(
            sources,
            vocabulary,
            options.context + 1,
        )
        for rows in islice(LaneStream(form, 0, 8, range(8)), 4):
            _, shown = losses_of(rows.to(device), 0.0)
            for name, value in shown.items():
                if value.weight:
                    totals.setdefault(name, []).append(float(value))
    return {name: float(np.mean(values)) for name, values in totals.items()}


def hubert_options(folder: Path, arguments: argparse.Namespace) -> HubertOptions:
    start = find_checkpoint("nano").hubert if arguments.start_from == "nano" else None
    return HubertOptions(
        manifest=folder / "clips.jsonl", labels=folder / "labels.txt", start=start, output=arguments.output,
        batch=arguments.batch, learning_rate=6e-4, mask=0.15, device=arguments.device,
    )  # fmt: skip


def hubert_accuracy(folder: Path, weights: Path, options: HubertOptions) -> dict[str, float]:
    """Share of held-out frames whose label is predicted, from clean sound."""
    labels = read_labels(folder / "labels.txt")
    loaded = load_recordings(folder / "held-out.jsonl", options.output / "training")
    recordings = [r for r in loaded if r.clip.id in labels]
    if not recordings:
        return {}
    units = 1 + max(int(u.max()) for u in labels.values() if len(u))
    device = find_device(options.device)
    model = hubert.Pretraining.load(weights, units).to(device).eval()
    sampler = CropSampler(recordings, options.seconds)
    right = known = 0
    with torch.inference_mode():
        for number in range(8):
            batch = draw_batch(sampler, labels, 16, options.seconds, np.random.default_rng(number))
            masked = torch.zeros(batch.labels.shape, dtype=torch.bool, device=device)
            predicted = model(batch.waveform.to(device), masked, 0.0).argmax(-1).cpu()
            targets = batch.labels[:, : predicted.shape[1]]
            right += int((predicted == targets)[targets >= 0].sum())
            known += int((targets >= 0).sum())
    return {"accuracy": right / max(1, known)}


def main() -> None:
    begun = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("part", choices=("lm", "hubert"))
    parser.add_argument("pack", type=Path)
    parser.add_argument("--seconds", type=float, required=True, help="time for all of it")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument(
        "--start-from", choices=("nano", "random"), default="nano", help="first weights (default nano)"
    )
    parser.add_argument("--batch", type=int, default=16, help="sequences or clips a step (default 16)")
    parser.add_argument("--context", type=int, default=256, help="tokens a sequence (default 256)")
    parser.add_argument(
        "--trial", type=int, default=12, help="steps by which the speed is measured (default 12)"
    )
    parser.add_argument(
        "--workers", type=int, default=0, help="processes that draw the language model's sequences"
    )
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        unpack(arguments.pack, folder)
        dictionary = folder / "pronunciations.json"
        if dictionary.is_file():
            PackedPronouncer.known = json.loads(dictionary.read_text())
            unit_selection.Pronouncer = PackedPronouncer  # type: ignore[misc,assignment]
        if arguments.part == "lm":
            options: Any = language_model_options(folder, arguments)
            measure, train = language_model_loss, language_model.train
            trained = model_folder(options) / "model.safetensors"
            nano = find_checkpoint("nano")
            start = nano.language_model(nano.is_expressive) / "model.safetensors" if options.base else None
        else:
            options = hubert_options(folder, arguments)
            measure, train = hubert_accuracy, hubert.train
            trained = arguments.output / "speech_tokenizer" / "hubert_25hz" / "mhubert_base_25hz.safetensors"
            start = options.start
        before = measure(folder, start, options) if start else {}
        final, step = timed_training(train, options, arguments.trial, arguments.seconds, begun)
        after = measure(folder, trained, options)
    amount = final.steps * final.batch * (final.context if arguments.part == "lm" else final.seconds / 3600)
    unit = "tokens" if arguments.part == "lm" else "hours"
    print(json.dumps({
        "part": arguments.part, "device": str(find_device(arguments.device)), "steps": final.steps,
        "seconds a step": round(step, 4), unit: round(amount, 2), "before": before, "after": after,
        "seconds": round(time.monotonic() - begun, 1),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
