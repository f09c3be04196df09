"""A short test of a checkpoint on a device: tokenize a recording, generate, and decode; called in an `IsolatedProcess`.

Each step uses recorded units as its input, not the results of another step, so that what fails is known.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from spiritlm_cli.audio.reading import read_audio
from spiritlm_cli.checkpoints import Checkpoint, find_checkpoint
from spiritlm_cli.checkpoints.checkpoint import NANO
from spiritlm_cli.config import read_json
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.profiling.checks.finding import Finding, reason
from spiritlm_cli.profiling.checks.packages import reinstall_command
from spiritlm_cli.profiling.clips import RECORDING
from spiritlm_cli.profiling.hardware import synchronize
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.sequence import Sequence as TokenSequence
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.tokens.units import Units
from spiritlm_cli.vocoder.vocoder import Vocoder

T = TypeVar("T")

# nano's units of the recording's first seconds, in float32 on a CPU.
UNITS = Path(__file__).parents[2] / "assets" / "self_test.json"
SECONDS = 2.0
TOKENS = 8
# Units that another processor or a GPU may change by rounding. If more differ, it computes wrong values.
ROUNDED = 0.1
# What to do about wrong values: a sentence and a command.
_WRONG_ON_CPU = (
    "networks compute wrong values here; update torch, or keep it to simpler instruction sets:",
    "export ONEDNN_MAX_CPU_ISA=AVX2",
)
_WRONG_ON_GPU = "networks compute wrong values there; update torch and the driver, or use --device cpu", ""


def recorded_units() -> Units:
    """nano's units of the first `SECONDS` of the recording in the package."""
    streams = read_json(UNITS)
    return Units(*(np.array(streams[name], dtype=np.int64) for name in ("hubert", "pitch", "style")))


def try_tokenizer(model: str, device: str) -> Sequence[Finding]:
    """Tokenize the start of the recording; compare nano's units with those that were recorded."""
    return _tried(model, device, "tokenize", _tokenize)


def try_language_model(model: str, device: str) -> Sequence[Finding]:
    """Generate a few tokens from an empty prompt."""
    return _tried(model, device, "generate", _generate)


def try_vocoder(model: str, device: str) -> Sequence[Finding]:
    """Decode the recorded units."""
    return _tried(model, device, "decode", _decode)


def _tried(
    model: str, device: str, step: str, run: Callable[[Checkpoint, str, str], Finding]
) -> Sequence[Finding]:
    name = f"{step} on {device}"
    try:
        return [run(find_checkpoint(model), device, name)]
    except CheckpointError as error:
        remedy, command = _mend(model)
        return [Finding("Self-test", name, "broken", reason(error), remedy, command)]


def _mend(model: str) -> tuple[str, str]:
    """What to do about a checkpoint that can't be read: a sentence and a command."""
    if model == "nano":
        return "the package is damaged; install it again:", reinstall_command()
    return f"copy or download {model} again; without --model, nano is tested", ""


def _tokenize(checkpoint: Checkpoint, device: str, name: str) -> Finding:
    if checkpoint.root != NANO and not _has(lambda: checkpoint.hubert):
        return _lacks(checkpoint, name, "tokenizer")
    load = partial(SpeechTokenizer.load, checkpoint, _has(lambda: checkpoint.style), device=device)
    tokenizer, loading = _timed(load, device)
    waveform = read_audio(RECORDING, end=SECONDS)
    units, seconds = _timed(lambda: tokenizer.encode(waveform), device)
    text = f"{SECONDS:g} s of speech in {seconds:.2f} s, after {loading:.1f} s of loading"
    values = {"seconds": seconds, "loading": loading}
    if checkpoint.root != NANO:
        return Finding("Self-test", name, "ok", f"{text}; {len(units.hubert)} phonetic units", values=values)
    differing, total = count_differences(units, recorded_units())
    text += f"; {differing or 'none'} of {total} units {'differs' if differing == 1 else 'differ'}"
    values |= {"units": total, "differing": differing}
    if differing > ROUNDED * total:
        remedy, command = _WRONG_ON_CPU if device == "cpu" else _WRONG_ON_GPU
        return Finding("Self-test", name, "broken", text, remedy, command, values)
    if differing and device == "cpu":
        remedy = "by rounding, on this processor; for equal units on all machines, process a corpus on one kind of them"
        return Finding("Self-test", name, "warning", text, remedy, values=values)
    return Finding("Self-test", name, "ok", text, values=values)


def _generate(checkpoint: Checkpoint, device: str, name: str) -> Finding:
    expressive = _has(lambda: checkpoint.language_model(True))
    if checkpoint.root != NANO and not expressive and not _has(lambda: checkpoint.language_model(False)):
        return _lacks(checkpoint, name, "language model")
    lm, loading = _timed(lambda: LanguageModel.load(checkpoint, expressive, device), device)
    sampling = Sampling(greedy=True, max_new_tokens=TOKENS)
    generation, seconds = _timed(lambda: lm.generate(TokenSequence(), "speech", sampling), device)
    count = len(generation.ids)
    text = f"{count} tokens in {seconds:.2f} s, after {loading:.1f} s of loading"
    return Finding(
        "Self-test", name, "ok", text, values={"seconds": seconds, "loading": loading, "tokens": count}
    )


def _decode(checkpoint: Checkpoint, device: str, name: str) -> Finding:
    expressive = _has(lambda: checkpoint.generator(True))
    if checkpoint.root != NANO and not expressive and not _has(lambda: checkpoint.generator(False)):
        return _lacks(checkpoint, name, "vocoder")
    vocoder, loading = _timed(lambda: Vocoder.load(checkpoint, expressive, device), device)
    units = recorded_units()
    span = merge_streams(units if expressive else Units(units.hubert), keep_repeats=True)
    waveform, seconds = _timed(lambda: vocoder.decode(span, durations="keep"), device)
    peak = float(np.abs(waveform.samples).max())
    text = f"{waveform.seconds:.2g} s of sound in {seconds:.2f} s, after {loading:.1f} s of loading"
    return Finding(
        "Self-test", name, "ok", text, values={"seconds": seconds, "loading": loading, "peak": peak}
    )


def count_differences(units: Units, expected: Units) -> tuple[int, int]:
    """Return how many units of all streams differ from those expected, and how many are expected.

    A missing stream, or a part of one, differs.
    """
    differing = total = 0
    for name in ("hubert", "pitch", "style"):
        ours, theirs = getattr(units, name), getattr(expected, name)
        ours = np.zeros(0, dtype=np.int64) if ours is None else ours
        common = min(len(ours), len(theirs))
        differing += int((ours[:common] != theirs[:common]).sum()) + abs(len(ours) - len(theirs))
        total += len(theirs)
    return differing, total


def _lacks(checkpoint: Checkpoint, name: str, part: str) -> Finding:
    return Finding("Self-test", name, "note", f"not run: {checkpoint.name} has no {part}")


def _has(part: Callable[[], Path]) -> bool:
    try:
        part()
    except CheckpointError:
        return False
    return True


def _timed(compute: Callable[[], T], device: str) -> tuple[T, float]:
    """Return the result and the seconds that it took."""
    start = time.perf_counter()
    result = compute()
    synchronize(torch.device(device))
    return result, time.perf_counter() - start
