"""Measure how other dtypes than float32 change tokens and audio, and their speed.

    python benchmarks/dtypes.py [--speech FOLDER] [--clips 40] [--model nano|DIR] [--device cpu] [--compile] [--runs 2]

Tokenizes the first clips of a folder (by default the bundled recording) in float32 and bfloat16, on a GPU in
float16, too, and with --compile in each dtype again with torch.compile. For each stream, prints the edit distance
from the float32 units divided by their number, the fraction of positions that differ, and the speed relative to
float32. `merged` are the phonetic units without repeats, as in a token line; their positions are not compared.

Then decodes the float32 tokens with each dtype. Durations are always predicted in float32, so that all waveforms of
a clip have the same length. Prints the signal-to-noise ratio relative to the float32 waveforms, over all clips and
of the worst clip; the mean absolute difference of log-mel spectra (natural logarithm, 80 bands); and the speed.

Each computation runs once before it is timed; the fastest timed run counts.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby, islice, product
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from rapidfuzz.distance import Levenshtein

from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.manifests.discovery import find_clips
from spiritlm_cli.nn.device import find_device
from spiritlm_cli.profiling.clips import RECORDING
from spiritlm_cli.profiling.hardware import synchronize
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.tokens.units import Units
from spiritlm_cli.training.losses import SpectralLoss
from spiritlm_cli.vocoder.vocoder import Vocoder

STREAMS = ("hubert", "merged", "pitch", "style")
HEADINGS = [f"{name:>8}" + ("" if name == "merged" else f"{'differ':>9}") for name in STREAMS]

T = TypeVar("T")


@dataclass(frozen=True)
class Setup:
    """How the networks compute."""

    dtype: str
    compiled: bool = False

    def __str__(self) -> str:
        return f"{self.dtype}, compiled" if self.compiled else self.dtype


def timed(compute: Callable[[], T], runs: int, device: torch.device) -> tuple[T, float]:
    """Return the result of a function, and the fewest seconds of its runs after the first."""
    result, best = compute(), float("inf")
    for _ in range(runs):
        synchronize(device)
        start = time.perf_counter()
        compute()
        synchronize(device)
        best = min(best, time.perf_counter() - start)
    return result, best


def stream_of(units: Units, name: str) -> list[int]:
    """Return the units of one of STREAMS."""
    ids: list[int] = getattr(units, "hubert" if name == "merged" else name).tolist()
    return [unit for unit, _ in groupby(ids)] if name == "merged" else ids


def compare_units(exact: Sequence[Units], other: Sequence[Units], name: str) -> str:
    """Format the edit distance per unit and, except for `merged`, the fraction of units that differ, in percent."""
    pairs = [(stream_of(a, name), stream_of(b, name)) for a, b in zip(exact, other, strict=True)]
    count = sum(len(a) for a, _ in pairs)
    edits = f"{sum(Levenshtein.distance(a, b) for a, b in pairs) / count:8.3%}"
    if name == "merged":
        return edits
    differing = sum(one != other for a, b in pairs for one, other in zip(a, b, strict=True))
    return f"{edits}{differing / count:9.3%}"


def noise_ratio(exact: Sequence[Waveform], other: Sequence[Waveform]) -> float:
    """Return the signal-to-noise ratio in dB; infinite if the waveforms are equal."""
    signal = sum(float(np.square(a.samples, dtype=np.float64).sum()) for a in exact)
    noise = sum(
        float(np.square(a.samples.astype(np.float64) - b.samples).sum())
        for a, b in zip(exact, other, strict=True)
    )
    return 10 * float(np.log10(signal / noise)) if noise else float("inf")


@torch.inference_mode()
def mel_distance(exact: Sequence[Waveform], other: Sequence[Waveform]) -> float:
    """Return the mean over clips of the mean absolute difference of log-mel spectra."""
    loss = SpectralLoss()
    pairs = [
        (torch.from_numpy(a.samples)[None], torch.from_numpy(b.samples)[None])
        for a, b in zip(exact, other, strict=True)
    ]
    return float(np.mean([float(loss(b, a)[0]) for a, b in pairs]))


def tokenize(
    setups: Sequence[Setup], clips: Sequence[Waveform], arguments: argparse.Namespace
) -> list[Units]:
    """Return the units of the clips in the first setup; print the differences of the others."""
    exact: list[Units] = []
    base = 0.0
    print(f"{'':20}" + "".join(HEADINGS) + f"{'speed':>9}")
    for setup in setups:
        print(f"tokenize, {setup} …", file=sys.stderr)
        tokenizer = SpeechTokenizer.load(
            arguments.model, device=arguments.device, dtype=setup.dtype, compile=setup.compiled
        )
        units, seconds = timed(partial(tokenizer.encode_batch, clips), arguments.runs, tokenizer.device)
        if not exact:
            exact, base = units, seconds
            continue
        row = "".join(compare_units(exact, units, name) for name in STREAMS)
        print(f"{setup!s:20}{row}{base / seconds:8.2f}×", flush=True)
    return exact


def decode(setups: Sequence[Setup], units: Sequence[Units], arguments: argparse.Namespace) -> None:
    """Decode the units in each setup; print the differences from the first."""
    spans = [merge_streams(each) for each in units]
    exact: list[Waveform] = []
    base = 0.0
    print(f"\n{'':20}{'SNR dB':>9}{'worst':>8}{'mel':>9}{'speed':>9}")
    for setup in setups:
        print(f"decode, {setup} …", file=sys.stderr)
        vocoder = Vocoder.load(
            arguments.model, device=arguments.device, dtype=setup.dtype, compile=setup.compiled
        )
        waveforms, seconds = timed(
            partial(vocoder.decode_batch, spans, durations="predict"), arguments.runs, vocoder.device
        )
        if not exact:
            exact, base = waveforms, seconds
            continue
        worst = min(noise_ratio([a], [b]) for a, b in zip(exact, waveforms, strict=True))
        row = f"{noise_ratio(exact, waveforms):9.1f}{worst:8.1f}{mel_distance(exact, waveforms):9.4f}"
        print(f"{setup!s:20}{row}{base / seconds:8.2f}×", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--speech", type=Path, default=RECORDING, help="folder or file (default: the bundled recording)"
    )
    parser.add_argument("--clips", type=int, default=40, help="maximum number of clips (default: 40)")
    parser.add_argument("--model", default="nano", help="nano or a folder (default: nano)")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--compile", action="store_true", help="measure each dtype again with torch.compile")
    parser.add_argument("--runs", type=int, default=2, help="timed runs (default: 2)")
    arguments = parser.parse_args()

    device = find_device(arguments.device)
    clips = [read_clip(clip) for clip in islice(find_clips([str(arguments.speech)]), arguments.clips)]
    dtypes = ["float32", "bfloat16", *(["float16"] if device.type != "cpu" else [])]
    setups = [
        Setup(dtype, compiled) for compiled, dtype in product([False, True][: 1 + arguments.compile], dtypes)
    ]
    seconds = sum(clip.seconds for clip in clips)
    print(
        f"torch {torch.__version__}, {arguments.model} on {device}, {len(clips)} clips, {seconds:.0f} s of audio"
    )
    print(
        "against float32: edits per unit, fraction of units that differ, noise of the waveforms, and relative speed\n"
    )
    decode(setups, tokenize(setups, clips, arguments), arguments)


if __name__ == "__main__":
    main()
