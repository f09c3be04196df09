"""Compare the speed of `tokenize` and `decode`, with weights of the release's size, with plain transformers and torch.

    python benchmarks/throughput.py [--clips 64] [--part tokenize|decode|both] [--side both|ours|plain] [--runs 2]
                                    [--model DIR] [--speech FOLDER] [--device cpu] [--threads N]

Clips of 2 to 20 s, drawn with a fixed seed, are cut from the audio files of a folder, or from the bundled recording,
which is repeated. `decode` gets random units without repeats of about the same duration. The checkpoint is a folder
with the release's files, or a stand-in of the same size with random weights. Everything is computed in float32.
`plain` are the networks of plain.py, one clip at a time; `alone` is this package, one clip at a time; `batched` is
this package, all clips at once. Each runs in its own process and processes two clips to warm up.

Prints the peak speed of float32 matrix products; then, for each stage and for the whole part, the operations of
`plain` per second of audio (matrix products and convolutions), and for each side the seconds of audio per second,
the operations of `plain` for the same audio relative to the peak, and the speed relative to `plain`. The fastest run
counts; the time of `plain` for the whole part is the sum of its stages. Last, prints the peak memory of each process
(of the GPU if it runs on one) and the differences of the results.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spiritlm_cli.audio.reading import read_audio
from spiritlm_cli.manifests.clip import FloatArray, Waveform
from spiritlm_cli.profiling.clips import RECORDING
from spiritlm_cli.profiling.hardware import matrix_peak, peak_memory, synchronize
from spiritlm_cli.profiling.stages import Stage, tokenizer_stages
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.sequence import SpeechSpan
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.tokens.units import IntArray, Kind, Units
from spiritlm_cli.vocoder.vocoder import Vocoder

RATE = 16000
# Samples between clips, so that the repeated recording is not cut at the same positions.
SHIFT = 4001

STREAMS = ("hubert", "pitch", "style")
SIDES = {"plain": ("plain",), "ours": ("alone", "batched"), "both": ("plain", "alone", "batched")}


def random_clips(count: int, folder: Path | None) -> list[FloatArray]:
    """Return `count` clips of 2 to 20 s at 16 kHz."""
    files = sorted(p for p in folder.rglob("*") if p.suffix in (".flac", ".wav")) if folder else [RECORDING]
    if not files:
        sys.exit(f"{folder}: no .flac or .wav file in it")
    lengths = np.random.default_rng(0).integers(2 * RATE, 20 * RATE, count)
    pieces: list[FloatArray] = []
    for file in files:
        pieces.append(read_audio(file, rate=RATE).samples)
        if sum(map(len, pieces)) > lengths.sum() + count * SHIFT:
            break
    sound = np.concatenate(pieces)
    ends = np.cumsum(lengths + SHIFT)
    positions = (np.arange(end - length, end) for end, length in zip(ends, lengths, strict=True))
    return [sound.take(clip, mode="wrap") for clip in positions]


def random_spans(count: int) -> list[SpeechSpan]:
    """Return random units for `count` clips of 2 to 20 s; each unit lasts 1 to 4 frames, and repeats are merged."""
    generator = np.random.default_rng(0)

    def stream(units: int, length: int) -> IntArray:
        return np.repeat(generator.integers(units, size=length), generator.integers(1, 5, length))[:length]

    spans = []
    for seconds in generator.uniform(2, 20, count):
        hubert, pitch = stream(500, int(25 * seconds)), stream(64, int(12.5 * seconds))
        spans.append(merge_streams(Units(hubert, pitch, stream(100, int(seconds) + 1))))
    return spans


@dataclass(frozen=True)
class Measured:
    """Result of one process. seconds: by stage, for all clips; memory: peak in bytes."""

    seconds: dict[str, float]
    memory: int


def tokenize_stages(side: str, model: str, device: str) -> dict[str, Stage]:
    """Return the stages of the tokenizer and, except for `plain`, `tokenize`, which is all of them."""
    if side == "plain":
        from plain import PlainTokenizer

        plain = PlainTokenizer(model, device)
        return {name: one_by_one(getattr(plain, name)) for name in ("hubert", "f0", "pitch", "style")}
    tokenizer = SpeechTokenizer.load(model, device=device)
    encode = one_by_one(tokenizer.encode) if side == "alone" else tokenizer.encode_batch
    return tokenizer_stages(tokenizer) | {
        "tokenize": lambda clips: encode([Waveform(c, RATE) for c in clips])
    }


def decode_stages(side: str, model: str, device: str) -> dict[str, Stage]:
    """Return the stage `decode`, which maps spans to samples."""
    if side == "plain":
        from plain import PlainVocoder

        return {"decode": one_by_one(PlainVocoder(model, device).decode)}
    vocoder = Vocoder.load(model, device=device)
    if side == "alone":
        return {"decode": one_by_one(lambda span: vocoder.decode(span, durations="predict").samples)}
    return {"decode": lambda spans: [w.samples for w in vocoder.decode_batch(spans, durations="predict")]}


@torch.inference_mode()
def measure(part: str, side: str, arguments: argparse.Namespace) -> Measured:
    """Measure one side on one part in this process, and save its output in the folder of results."""
    model, device = str(arguments.model), arguments.device
    torch_device = torch.device(device)
    if part == "tokenize":
        clips: list[Any] = random_clips(arguments.clips, arguments.speech)
        stages = tokenize_stages(side, model, device)
    else:
        clips = random_spans(arguments.clips)
        stages = decode_stages(side, model, device)
    results: dict[str, list[Any]] = {}

    def run(clips: list[Any]) -> dict[str, float]:
        seconds = {}
        for name, stage in stages.items():
            inputs = results["f0"] if name == "pitch" else clips
            batches = [inputs] if side == "batched" else [[clip] for clip in inputs]
            synchronize(torch_device)
            start = time.perf_counter()
            results[name] = list(chain.from_iterable(map(stage, batches)))
            synchronize(torch_device)
            seconds[name] = time.perf_counter() - start
        return seconds

    run(clips[:2])
    runs = [run(clips) for _ in range(arguments.runs)]
    seconds = {name: min(run[name] for run in runs) for name in stages}
    if "tokenize" in results:
        results |= {name: [getattr(units, name) for units in results["tokenize"]] for name in STREAMS}
    elif part == "tokenize":
        seconds["tokenize"] = sum(seconds.values())
    kept = [name for name in (*STREAMS, "decode") if name in results]
    arrays = {f"{name} {i}": np.asarray(x) for name in kept for i, x in enumerate(results[name])}
    np.savez(arguments.results / f"{part}-{side}.npz", **arrays)
    return Measured(seconds, peak_memory(torch_device))


def one_by_one(stage: Callable[[Any], Any]) -> Stage:
    return lambda clips: [stage(clip) for clip in clips]


def operations(part: str, arguments: argparse.Namespace, results: dict[str, Any]) -> dict[str, int]:
    """Return the operations of matrix products and convolutions for all clips, by stage."""
    from plain import PlainTokenizer, PlainVocoder

    if part == "decode":
        vocoder = PlainVocoder(str(arguments.model), "cpu")
        units = [sum(u.kind is Kind.HUBERT for u in span.units) for span in random_spans(arguments.clips)]
        return {"decode": sum(vocoder.flop(n, len(results[f"decode {i}"])) for i, n in enumerate(units))}
    tokenizer = PlainTokenizer(str(arguments.model), "cpu")
    clips = [tokenizer.flop(len(clip)) for clip in random_clips(arguments.clips, arguments.speech)]
    stages = {name: sum(clip[name] for clip in clips) for name in clips[0]}
    return stages | {"tokenize": sum(stages.values())}


def differences(part: str, one: dict[str, Any], other: dict[str, Any]) -> str:
    """Describe how the results of two sides differ."""
    pairs = [(one[name], other[name]) for name in one]
    if part == "decode":
        lengths = sum(len(a) != len(b) for a, b in pairs)
        largest = max((float(np.abs(a - b).max()) for a, b in pairs if len(a) == len(b)), default=0.0)
        return f"{largest:.1e} is the largest difference between waveforms; {lengths} of {len(pairs)} differ in length"
    counts = dict.fromkeys(STREAMS, 0)
    for name, (a, b) in zip(one, pairs, strict=True):
        shared = min(len(a), len(b))
        counts[name.split()[0]] += int((a[:shared] != b[:shared]).sum()) + abs(len(a) - len(b))
    of = ", ".join(f"{name} {count}" for name, count in counts.items())
    return f"{sum(counts.values())} of {sum(len(a) for a, _ in pairs)} units differ ({of})"


def report(part: str, arguments: argparse.Namespace, peak: float) -> None:
    """Measure the sides on a part, each in its own process, and print the results."""
    measured: dict[str, Measured] = {}
    results: dict[str, dict[str, Any]] = {}
    for side in SIDES[arguments.side]:
        print(f"{part}, {side} …", file=sys.stderr)
        options = ["--model", str(arguments.model), "--results", str(arguments.results)]
        command = [sys.executable, __file__, *sys.argv[1:], *options, "--measure", part, side]
        child = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if child.returncode:
            sys.exit(f"{part}, {side}: exit status {child.returncode}")
        # The last line: torchfcpe prints warnings before it.
        measured[side] = Measured(**json.loads(child.stdout.splitlines()[-1]))
        results[side] = dict(np.load(arguments.results / f"{part}-{side}.npz"))
    first = next(iter(results.values()))
    work = operations(part, arguments, first)
    if part == "tokenize":
        sound = sum(map(len, random_clips(arguments.clips, arguments.speech))) / RATE
    else:
        sound = sum(map(len, first.values())) / RATE
    print(f"\n{part}, {sound:.0f} s of audio")
    print(f"{'':10}{'GFLOP/s':>8}" + "".join(f"{side:>24}" for side in measured))
    for stage in work:
        row = f"{stage:10}{work[stage] / sound / 1e9:8.2f}"
        for result in measured.values():
            seconds = result.seconds[stage]
            row += f"{sound / seconds:9.1f}{work[stage] / seconds / peak:7.1%}"
            row += f"{measured['plain'].seconds[stage] / seconds:7.2f}×" if "plain" in measured else " " * 8
        print(row)
    print("memory  " + ", ".join(f"{side} {result.memory / 1e6:.0f} MB" for side, result in measured.items()))
    for side, reference in (("alone", "plain"), ("batched", "plain"), ("batched", "alone")):
        if {side, reference} <= set(results):
            print(f"{side} against {reference}: {differences(part, results[side], results[reference])}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clips", type=int, default=64, help="number of clips (default: 64)")
    parser.add_argument("--part", choices=["tokenize", "decode", "both"], default="both")
    parser.add_argument("--side", choices=SIDES, default="both")
    parser.add_argument("--runs", type=int, default=2, help="runs of each stage (default: 2)")
    parser.add_argument("--model", type=Path, help="folder in the release's layout (default: a stand-in)")
    parser.add_argument("--speech", type=Path, help="folder of .flac and .wav files")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, help="CPU threads (default: torch's)")
    parser.add_argument("--measure", nargs=2, metavar=("PART", "SIDE"), help=argparse.SUPPRESS)
    parser.add_argument("--results", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    torch.backends.cudnn.allow_tf32 = False
    if arguments.measure:
        print(json.dumps(asdict(measure(*arguments.measure, arguments))))
        return
    with tempfile.TemporaryDirectory() as folder:
        arguments.results = Path(folder)
        if arguments.model is None:
            sys.path.append(str(Path(__file__).parent.parent / "tests"))
            from release_tree import write_release_tree

            arguments.model = Path(folder, "model")
            write_release_tree(arguments.model, size="full", part="speech")
        peak = matrix_peak(torch.device(arguments.device))
        name = torch.cuda.get_device_name() if arguments.device.startswith("cuda") else "CPU"
        print(
            f"torch {torch.__version__}, {name}, {torch.get_num_threads()} threads, {arguments.clips} clips"
        )
        print(f"matrix products: {peak / 1e9:.0f} GFLOP/s; columns: × real time, fraction of that, × plain")
        for part in ("tokenize", "decode") if arguments.part == "both" else (arguments.part,):
            report(part, arguments, peak)


if __name__ == "__main__":
    main()
