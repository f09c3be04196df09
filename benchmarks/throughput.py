"""How fast `tokenize` and `decode` are with weights of the release's size, against plain transformers and torch.

    python benchmarks/throughput.py [--clips 64] [--part tokenize|decode|both] [--side both|ours|plain] [--runs 2]
                                    [--model DIR] [--speech FOLDER] [--device cpu] [--threads N]

The clips last 2 to 20 s, drawn with a fixed seed, and are cut one after another from the sound files in a folder,
or from the bundled recording over and over. What is decoded is drawn too: lines without repeats that last about as
long. The checkpoint is a folder with the release's own files, or a stand-in of its size made for the occasion. All
is float32. `plain` are the networks of plain.py, one clip at a time; `alone` is this package one clip at a time,
`batched` all clips at once. Each runs in a process of its own, after two clips to warm up.

Prints how fast this machine multiplies float32 matrices; then for each stage by itself, and for all of a part, the
operations that a second of sound takes `plain` (matrix products and convolutions), and of each side the seconds of
sound a second, the share of the machine's speed that `plain` would need for it, and how many times as fast as `plain`
it is. The fastest run counts; `plain` takes for all as long as for its stages. Below stand the most memory that each
process took (of the GPU's, where it runs on one) and how the results differ.
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
# Samples between clips: the bundled recording comes round again a little later.
SHIFT = 4001

STREAMS = ("hubert", "pitch", "style")
SIDES = {"plain": ("plain",), "ours": ("alone", "batched"), "both": ("plain", "alone", "batched")}


def made_clips(count: int, folder: Path | None) -> list[FloatArray]:
    """`count` clips of 2 to 20 s at 16 kHz."""
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
    places = (np.arange(end - length, end) for end, length in zip(ends, lengths, strict=True))
    return [sound.take(clip, mode="wrap") for clip in places]


def made_spans(count: int) -> list[SpeechSpan]:
    """Lines without repeats for `count` clips of 2 to 20 s: units drawn at random, each held for 1 to 4 frames."""
    draw = np.random.default_rng(0)

    def stream(units: int, length: int) -> IntArray:
        return np.repeat(draw.integers(units, size=length), draw.integers(1, 5, length))[:length]

    spans = []
    for seconds in draw.uniform(2, 20, count):
        hubert, pitch = stream(500, int(25 * seconds)), stream(64, int(12.5 * seconds))
        spans.append(merge_streams(Units(hubert, pitch, stream(100, int(seconds) + 1))))
    return spans


@dataclass(frozen=True)
class Measured:
    """What one process found. seconds: by stage, of all clips; memory: bytes, the most that it took."""

    seconds: dict[str, float]
    memory: int


def tokenize_stages(side: str, model: str, device: str) -> dict[str, Stage]:
    """`tokenizer_stages` and `tokenize`, which is all of them; `plain` are only the former."""
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
    """`decode`: spans in, samples out."""
    if side == "plain":
        from plain import PlainVocoder

        return {"decode": one_by_one(PlainVocoder(model, device).decode)}
    vocoder = Vocoder.load(model, device=device)
    if side == "alone":
        return {"decode": one_by_one(lambda span: vocoder.decode(span, durations="predict").samples)}
    return {"decode": lambda spans: [w.samples for w in vocoder.decode_batch(spans, durations="predict")]}


@torch.inference_mode()
def measure(part: str, side: str, arguments: argparse.Namespace) -> Measured:
    """One side on one part, in this process; what comes out of it goes to the folder of results."""
    model, device = str(arguments.model), arguments.device
    place = torch.device(device)
    if part == "tokenize":
        clips: list[Any] = made_clips(arguments.clips, arguments.speech)
        stages = tokenize_stages(side, model, device)
    else:
        clips = made_spans(arguments.clips)
        stages = decode_stages(side, model, device)
    results: dict[str, list[Any]] = {}

    def run(clips: list[Any]) -> dict[str, float]:
        seconds = {}
        for name, stage in stages.items():
            inputs = results["f0"] if name == "pitch" else clips
            batches = [inputs] if side == "batched" else [[clip] for clip in inputs]
            synchronize(place)
            begun = time.perf_counter()
            results[name] = list(chain.from_iterable(map(stage, batches)))
            synchronize(place)
            seconds[name] = time.perf_counter() - begun
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
    return Measured(seconds, peak_memory(place))


def one_by_one(stage: Callable[[Any], Any]) -> Stage:
    return lambda clips: [stage(clip) for clip in clips]


def operations(part: str, arguments: argparse.Namespace, results: dict[str, Any]) -> dict[str, int]:
    """In matrix products and convolutions, of all clips, by stage."""
    from plain import PlainTokenizer, PlainVocoder

    if part == "decode":
        vocoder = PlainVocoder(str(arguments.model), "cpu")
        units = [sum(u.kind is Kind.HUBERT for u in span.units) for span in made_spans(arguments.clips)]
        return {"decode": sum(vocoder.flop(n, len(results[f"decode {i}"])) for i, n in enumerate(units))}
    tokenizer = PlainTokenizer(str(arguments.model), "cpu")
    clips = [tokenizer.flop(len(clip)) for clip in made_clips(arguments.clips, arguments.speech)]
    stages = {name: sum(clip[name] for clip in clips) for name in clips[0]}
    return stages | {"tokenize": sum(stages.values())}


def differences(part: str, one: dict[str, Any], other: dict[str, Any]) -> str:
    """How results of two sides differ, in words."""
    pairs = [(one[name], other[name]) for name in one]
    if part == "decode":
        lengths = sum(len(a) != len(b) for a, b in pairs)
        most = max((float(np.abs(a - b).max()) for a, b in pairs if len(a) == len(b)), default=0.0)
        return f"{most:.1e} at most between waveforms; {lengths} of {len(pairs)} differ in length"
    counts = dict.fromkeys(STREAMS, 0)
    for name, (a, b) in zip(one, pairs, strict=True):
        shared = min(len(a), len(b))
        counts[name.split()[0]] += int((a[:shared] != b[:shared]).sum()) + abs(len(a) - len(b))
    of = ", ".join(f"{name} {count}" for name, count in counts.items())
    return f"{sum(counts.values())} of {sum(len(a) for a, _ in pairs)} units differ ({of})"


def report(part: str, arguments: argparse.Namespace, peak: float) -> None:
    """Measures the sides on a part, each in a process of its own, and prints what they found."""
    measured: dict[str, Measured] = {}
    results: dict[str, dict[str, Any]] = {}
    for side in SIDES[arguments.side]:
        print(f"{part}, {side} …", file=sys.stderr)
        options = ["--model", str(arguments.model), "--results", str(arguments.results)]
        command = [sys.executable, __file__, *sys.argv[1:], *options, "--measure", part, side]
        child = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if child.returncode:
            sys.exit(f"{part}, {side}: exit status {child.returncode}")
        # the last line, because torchfcpe prints what it thinks of the samples
        measured[side] = Measured(**json.loads(child.stdout.splitlines()[-1]))
        results[side] = dict(np.load(arguments.results / f"{part}-{side}.npz"))
    first = next(iter(results.values()))
    work = operations(part, arguments, first)
    if part == "tokenize":
        sound = sum(map(len, made_clips(arguments.clips, arguments.speech))) / RATE
    else:
        sound = sum(map(len, first.values())) / RATE
    print(f"\n{part}, {sound:.0f} s of sound")
    print(f"{'':10}{'GFLOP/s':>8}" + "".join(f"{side:>24}" for side in measured))
    for stage in work:
        row = f"{stage:10}{work[stage] / sound / 1e9:8.2f}"
        for found in measured.values():
            seconds = found.seconds[stage]
            row += f"{sound / seconds:9.1f}{work[stage] / seconds / peak:7.1%}"
            row += f"{measured['plain'].seconds[stage] / seconds:7.2f}×" if "plain" in measured else " " * 8
        print(row)
    print("memory  " + ", ".join(f"{side} {found.memory / 1e6:.0f} MB" for side, found in measured.items()))
    for side, reference in (("alone", "plain"), ("batched", "plain"), ("batched", "alone")):
        if {side, reference} <= set(results):
            print(f"{side} against {reference}: {differences(part, results[side], results[reference])}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clips", type=int, default=64, help="how many (default 64)")
    parser.add_argument("--part", choices=["tokenize", "decode", "both"], default="both")
    parser.add_argument("--side", choices=SIDES, default="both")
    parser.add_argument("--runs", type=int, default=2, help="times each stage is run (default 2)")
    parser.add_argument("--model", type=Path, help="a folder of the release's layout (default: a stand-in)")
    parser.add_argument("--speech", type=Path, help="a folder of .flac and .wav files")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, help="of the CPU (default: as torch finds best)")
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
        place = torch.cuda.get_device_name() if arguments.device.startswith("cuda") else "CPU"
        print(
            f"torch {torch.__version__}, {place}, {torch.get_num_threads()} threads, {arguments.clips} clips"
        )
        print(f"matrix products: {peak / 1e9:.0f} GFLOP/s; columns: × real time, share of that, × plain")
        for part in ("tokenize", "decode") if arguments.part == "both" else (arguments.part,):
            report(part, arguments, peak)


if __name__ == "__main__":
    main()
