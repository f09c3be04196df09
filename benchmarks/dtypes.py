"""What a number format does to tokens and to sound, and how much time it saves.

    python benchmarks/dtypes.py [--speech FOLDER] [--clips 40] [--model nano|DIR] [--device cpu] [--compile] [--runs 2]

The first clips of a folder of speech (of the bundled recording, where none is named) are tokenized in float32 and
in bfloat16, on a GPU in float16 too, and with --compile in each of these once more with torch.compile. Prints for
each stream the edits from float32's units to the other's, over the number of units in float32; then the share of
places where the two differ; and how many times as fast as in float32 it was. `merged` are the phonetic units as they
stand in a line: without repeats, so that their places say nothing.

Then float32's lines are decoded in each way. Durations are predicted in float32 always, so that sounds are of one
length. Prints the signal-to-noise ratio of the sound against float32's, over all clips and of the worst one; the
mean difference of log-mel spectra (natural logarithm, 80 bands); and the speed.

A run over all clips comes before those that are timed; the fastest counts.
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
class Way:
    """How the networks are computed."""

    dtype: str
    compiled: bool = False

    def __str__(self) -> str:
        return f"{self.dtype}, compiled" if self.compiled else self.dtype


def timed(work: Callable[[], T], runs: int, device: torch.device) -> tuple[T, float]:
    """What `work` gives, and the least seconds that it takes once it has been run."""
    found, best = work(), float("inf")
    for _ in range(runs):
        synchronize(device)
        begun = time.perf_counter()
        work()
        synchronize(device)
        best = min(best, time.perf_counter() - begun)
    return found, best


def stream_of(units: Units, name: str) -> list[int]:
    """One of STREAMS."""
    found: list[int] = getattr(units, "hubert" if name == "merged" else name).tolist()
    return [unit for unit, _ in groupby(found)] if name == "merged" else found


def units_against(exact: Sequence[Units], other: Sequence[Units], name: str) -> str:
    """Edits over units and, but for `merged`, the share that differs, in percent."""
    pairs = [(stream_of(a, name), stream_of(b, name)) for a, b in zip(exact, other, strict=True)]
    count = sum(len(a) for a, _ in pairs)
    found = f"{sum(Levenshtein.distance(a, b) for a, b in pairs) / count:8.3%}"
    if name == "merged":
        return found
    differing = sum(one != other for a, b in pairs for one, other in zip(a, b, strict=True))
    return f"{found}{differing / count:9.3%}"


def noise_ratio(exact: Sequence[Waveform], other: Sequence[Waveform]) -> float:
    """Decibels: the energy of the sounds over that of what is added to them. Infinite where nothing is."""
    signal = sum(float(np.square(a.samples, dtype=np.float64).sum()) for a in exact)
    noise = sum(
        float(np.square(a.samples.astype(np.float64) - b.samples).sum())
        for a, b in zip(exact, other, strict=True)
    )
    return 10 * float(np.log10(signal / noise)) if noise else float("inf")


@torch.inference_mode()
def mel_distance(exact: Sequence[Waveform], other: Sequence[Waveform]) -> float:
    """The mean over clips of the mean absolute difference of their log-mel spectra."""
    loss = SpectralLoss()
    pairs = [
        (torch.from_numpy(a.samples)[None], torch.from_numpy(b.samples)[None])
        for a, b in zip(exact, other, strict=True)
    ]
    return float(np.mean([float(loss(b, a)[0]) for a, b in pairs]))


def tokenized(ways: Sequence[Way], clips: Sequence[Waveform], arguments: argparse.Namespace) -> list[Units]:
    """The clips' units in the first of the ways; prints what the others make of them."""
    exact: list[Units] = []
    base = 0.0
    print(f"{'':20}" + "".join(HEADINGS) + f"{'speed':>9}")
    for way in ways:
        print(f"tokenize, {way} …", file=sys.stderr)
        tokenizer = SpeechTokenizer.load(
            arguments.model, device=arguments.device, dtype=way.dtype, compile=way.compiled
        )
        units, seconds = timed(partial(tokenizer.encode_batch, clips), arguments.runs, tokenizer.device)
        if not exact:
            exact, base = units, seconds
            continue
        row = "".join(units_against(exact, units, name) for name in STREAMS)
        print(f"{way!s:20}{row}{base / seconds:8.2f}×", flush=True)
    return exact


def decoded(ways: Sequence[Way], units: Sequence[Units], arguments: argparse.Namespace) -> None:
    """Prints what each of the ways makes of the lines of units, against the first."""
    spans = [merge_streams(each) for each in units]
    exact: list[Waveform] = []
    base = 0.0
    print(f"\n{'':20}{'SNR dB':>9}{'worst':>8}{'mel':>9}{'speed':>9}")
    for way in ways:
        print(f"decode, {way} …", file=sys.stderr)
        vocoder = Vocoder.load(
            arguments.model, device=arguments.device, dtype=way.dtype, compile=way.compiled
        )
        sounds, seconds = timed(
            partial(vocoder.decode_batch, spans, durations="predict"), arguments.runs, vocoder.device
        )
        if not exact:
            exact, base = sounds, seconds
            continue
        worst = min(noise_ratio([a], [b]) for a, b in zip(exact, sounds, strict=True))
        row = f"{noise_ratio(exact, sounds):9.1f}{worst:8.1f}{mel_distance(exact, sounds):9.4f}"
        print(f"{way!s:20}{row}{base / seconds:8.2f}×", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--speech", type=Path, default=RECORDING, help="a folder (default: the bundled recording)"
    )
    parser.add_argument("--clips", type=int, default=40, help="how many at most (default 40)")
    parser.add_argument("--model", default="nano", help="nano or a folder (default nano)")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--compile", action="store_true", help="each once more with torch.compile")
    parser.add_argument("--runs", type=int, default=2, help="times each is timed (default 2)")
    arguments = parser.parse_args()

    device = find_device(arguments.device)
    clips = [read_clip(clip) for clip in islice(find_clips([str(arguments.speech)]), arguments.clips)]
    dtypes = ["float32", "bfloat16", *(["float16"] if device.type != "cpu" else [])]
    ways = [
        Way(dtype, compiled) for compiled, dtype in product([False, True][: 1 + arguments.compile], dtypes)
    ]
    sound = sum(clip.seconds for clip in clips)
    print(
        f"torch {torch.__version__}, {arguments.model} on {device}, {len(clips)} clips, {sound:.0f} s of sound"
    )
    print("against float32: edits a unit and units that differ, sound's noise, and how many times as fast\n")
    decoded(ways, tokenized(ways, clips, arguments), arguments)


if __name__ == "__main__":
    main()
