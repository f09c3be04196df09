"""Speed and memory of each stage of a checkpoint on this machine."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from spiritlm_cli.checkpoints import Checkpoint, find_checkpoint
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.nn.device import find_device, find_dtype
from spiritlm_cli.profiling.clips import RECORDING, cut_clips, read_samples
from spiritlm_cli.profiling.hardware import (
    count_operations,
    matrix_peak,
    peak_memory,
    reset_peak_memory,
    synchronize,
)
from spiritlm_cli.profiling.report import SpeedReport, StageSpeed, Unit
from spiritlm_cli.profiling.stages import tokenizer_stages
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.speech.windows import SAMPLE_RATE
from spiritlm_cli.tokens.sequence import Sequence as TokenSequence
from spiritlm_cli.tokens.sequence import SpeechSpan
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.vocoder.vocoder import Vocoder


@dataclass(frozen=True)
class Effort:
    """How thoroughly to measure.

    runs: timed runs of each stage, of which the fastest counts; patience: seconds after which no further run starts;
    tokens: generated in each run; matrix_runs: runs of each matrix product that the peak is measured with; peak: FLOP/s
    to use instead of measuring it.
    """

    runs: int = 5
    patience: float = 3.0
    tokens: int = 50
    matrix_runs: int = 5
    peak: float | None = None


DEFAULT_EFFORT = Effort()


def measure_speed(
    model: str | Checkpoint | None = "nano",
    *,
    expressive: bool = True,
    device: str = "auto",
    dtype: str = "float32",
    seconds: float = 60.0,
    audio: Path | str = RECORDING,
    batch_seconds: float | None = None,
    notify: Callable[[str], None] = lambda message: None,
    effort: Effort | None = None,
) -> SpeedReport:
    """Measure each stage of a checkpoint: see `find_checkpoint`.

    dtype: of the speech networks; unless it is float32, of the language model, too, which otherwise has its own
    default. seconds: how much of `audio` to process, repeating it if it is shorter. batch_seconds: seconds of audio
    in a batch (None: as much as the device has memory for). notify: called with what is being measured, and with the
    parts that are left out because the checkpoint doesn't have them. effort: None for `DEFAULT_EFFORT`.
    Raises CheckpointError if the checkpoint has no part that can be measured, parts for different units, or a part that
    can't be read; and AudioError.
    """
    effort = effort or DEFAULT_EFFORT
    checkpoint, torch_device = find_checkpoint(model), find_device(device)
    checkpoint.check()
    torch_dtype = find_dtype(dtype, torch_device)
    clips = cut_clips(read_samples(audio, seconds))
    peak = effort.peak or matrix_peak(torch_device, torch_dtype, effort.matrix_runs)
    report = SpeedReport(
        checkpoint.description,
        str(torch_device),
        torch.get_num_threads(),
        dtype,
        seconds,
        len(clips),
        peak,
        (),
    )
    notify(report.setting)
    bench = _Bench(
        torch_device,
        dtype,
        [Waveform(clip, SAMPLE_RATE) for clip in clips],
        seconds,
        batch_seconds,
        peak,
        effort,
        notify,
    )
    stages: list[StageSpeed] = []
    spans: list[SpeechSpan] = []
    if bench.has(checkpoint, "tokenize", _tokenizer_parts(expressive)):
        tokenizer = SpeechTokenizer.load(checkpoint, expressive, device=device, dtype=dtype)
        stages += bench.tokenize(tokenizer)
        spans = [merge_streams(units) for units in tokenizer.encode_batch(bench.waveforms, batch_seconds)]
        del tokenizer
    if bench.has(checkpoint, "decode", [lambda c: c.generator(expressive)]):
        if spans:
            vocoder = Vocoder.load(checkpoint, expressive, device, dtype)
            stages.append(bench.decode(vocoder, spans))
            del vocoder
        else:
            notify("decode is left out: without tokenize there is nothing to decode")
    if bench.has(checkpoint, "generate", [lambda c: c.language_model(expressive)]):
        lm = LanguageModel.load(checkpoint, expressive, device, None if dtype == "float32" else dtype)
        stages.append(bench.generate(lm))
    if not stages:
        raise CheckpointError(f"{checkpoint.root}: no part whose speed could be measured")
    return replace(report, stages=tuple(stages))


@dataclass(frozen=True)
class _Bench:
    """Measures stages on the same clips. seconds: their total length; peak: FLOP/s, see `StageSpeed.share`."""

    device: torch.device
    dtype: str
    waveforms: list[Waveform]
    seconds: float
    batch_seconds: float | None
    peak: float
    effort: Effort
    notify: Callable[[str], None]

    def has(self, checkpoint: Checkpoint, stage: str, parts: Iterable[Callable[[Checkpoint], Path]]) -> bool:
        """Return whether a checkpoint has the parts of a stage; notify of a missing part."""
        try:
            for part in parts:
                part(checkpoint)
        except CheckpointError as error:
            self.notify(f"{stage} is left out: {error}")
            return False
        return True

    def tokenize(self, tokenizer: SpeechTokenizer) -> list[StageSpeed]:
        """Measure the tokenizer's stages, and all of them together."""
        samples = [waveform.samples for waveform in self.waveforms]
        stages = tokenizer_stages(tokenizer, self.batch_seconds)
        features = stages["f0"](samples) if tokenizer.prosody else []
        speeds = []
        # F0 and pitch compute in float32 for any dtype, and pitch on the CPU.
        exact = self.dtype == "float32"
        for name, stage in stages.items():
            has_dtype = name in ("hubert", "style")
            share = has_dtype or (exact and (name == "f0" or self.device.type == "cpu"))
            run = partial(stage, features if name == "pitch" else samples)
            speeds.append(self._measure_audio(name, run, self.dtype if has_dtype else "float32", share))
        run = partial(tokenizer.encode_batch, self.waveforms, self.batch_seconds)
        share = exact or tokenizer.prosody is None
        return [*speeds, self._measure_audio("tokenize", run, self.dtype, share)]

    def decode(self, vocoder: Vocoder, spans: list[SpeechSpan]) -> StageSpeed:
        """Measure the vocoder, in seconds of the audio that it synthesizes."""

        def run() -> float:
            waveforms = vocoder.decode_batch(spans, batch_seconds=self.batch_seconds)
            return sum(waveform.seconds for waveform in waveforms)

        return self._measure("decode", run, self.dtype)

    def generate(self, lm: LanguageModel) -> StageSpeed:
        """Measure greedy generation of one sequence from an empty prompt."""
        tokens = self.effort.tokens
        sampling = Sampling(greedy=True, max_new_tokens=tokens)

        def run() -> float:
            count = 0
            while count < tokens:
                generation = lm.generate(TokenSequence(), "speech", sampling)
                count += len(generation.ids) + generation.finished
            return count

        # No share: with one sequence, reading the weights from memory takes the time, not the matrix products.
        dtype = str(lm.network.dtype).removeprefix("torch.")
        return self._measure("generate", run, dtype, "tokens", share=False)

    def _measure_audio(self, stage: str, run: Callable[[], Any], dtype: str, share: bool) -> StageSpeed:
        """Measure a run that processes all clips."""

        def processed() -> float:
            run()
            return self.seconds

        return self._measure(stage, processed, dtype, share=share)

    def _measure(
        self,
        stage: str,
        run: Callable[[], float],
        dtype: str,
        unit: Unit = "seconds of sound",
        share: bool = True,
    ) -> StageSpeed:
        """Time a function that returns how many units it processed. share: see `StageSpeed.share`."""
        self.notify(f"{stage} …")
        # This run warms up, too.
        _, operations = count_operations(run) if share else (run(), 0)
        reset_peak_memory(self.device)
        amount, fastest, begin = 0.0, float("inf"), time.perf_counter()
        for _ in range(self.effort.runs):
            synchronize(self.device)
            start = time.perf_counter()
            amount = run()
            synchronize(self.device)
            fastest = min(fastest, time.perf_counter() - start)
            if time.perf_counter() - begin > self.effort.patience:
                break
        memory = peak_memory(self.device)
        fraction = operations / fastest / self.peak if share else None
        return StageSpeed(stage, amount / fastest, unit, dtype, fraction, memory)


def _tokenizer_parts(expressive: bool) -> Sequence[Callable[[Checkpoint], Path]]:
    phonetic: list[Callable[[Checkpoint], Path]] = [lambda c: c.hubert, lambda c: c.quantizer]
    return (
        [*phonetic, lambda c: c.pitch, lambda c: c.pitch_config, lambda c: c.style]
        if expressive
        else phonetic
    )
