"""How fast each stage is on this machine, and in how much memory."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from rich.table import Table

from spiritlm_cli.audio.reading import read_windows
from spiritlm_cli.checkpoints import Checkpoint, find_checkpoint
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.manifests.clip import Clip, FloatArray, Waveform
from spiritlm_cli.nn.device import find_device, find_dtype
from spiritlm_cli.profiling.hardware import (
    count_operations,
    matrix_peak,
    peak_memory,
    reset_peak_memory,
    synchronize,
)
from spiritlm_cli.profiling.stages import tokenizer_stages
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.speech.windows import MIN_SECONDS, SAMPLE_RATE, WINDOW_SECONDS
from spiritlm_cli.tokens.sequence import Sequence as TokenSequence
from spiritlm_cli.tokens.sequence import SpeechSpan
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.vocoder.vocoder import Vocoder

if TYPE_CHECKING:
    from spiritlm_cli.language.model import LanguageModel

# Nine seconds of LibriSpeech.
RECORDING = Path(__file__).parent.parent / "assets" / "7143-88743-0029.flac"
# Seconds of the clips that the sound is cut into.
SHORTEST, LONGEST = 2, 20
# Tokens that the language model adds.
TOKENS = 50
# A stage is run so often, unless that takes more than so many seconds.
RUNS, PATIENCE = 5, 3.0
# Of a matrix product, for the machine's peak: a moment, where a benchmark would take longer.
TRIES = 5

Unit = Literal["seconds of sound", "tokens"]


@dataclass(frozen=True)
class StageSpeed:
    """One stage. per_second: so many `unit` a second; share: of the machine's peak, where that says something.

    dtype: what its network computes with. memory: bytes, the most that was held while it ran, the model and all: of
    the GPU's memory, where it runs on one.
    """

    stage: str
    per_second: float
    unit: Unit
    dtype: str
    share: float | None
    memory: int


@dataclass(frozen=True)
class SpeedReport:
    """What was found. seconds: of sound, in so many clips; peak: operations a second in matrix products of `dtype`."""

    model: str
    device: str
    threads: int
    dtype: str
    seconds: float
    clips: int
    peak: float
    stages: tuple[StageSpeed, ...]

    def to_json(self) -> dict[str, Any]:
        """For `json.dumps`."""
        return asdict(self)

    @property
    def setting(self) -> str:
        """What it was measured with, in words."""
        threads = f", {self.threads} threads" if self.device == "cpu" else ""
        clips = "1 clip" if self.clips == 1 else f"{self.clips} clips"
        return f"{self.model} on {self.device}{threads}, {self.dtype}, {self.seconds:g} s of sound in {clips}"

    def table(self) -> Table:
        """For `rich`."""
        table = Table(
            title=self.setting,
            min_width=len(self.setting),
            caption="× real time: seconds of sound a second. Share: of what matrix products reach here, "
            f"{self.peak / 1e9:.0f} GFLOP/s.",
        )
        for name in ("", "speed", "share", "memory"):
            table.add_column(name, justify="right" if name else "left", no_wrap=True)
        for row in self.stages:
            unit = "tokens/s" if row.unit == "tokens" else "× real time"
            share = "" if row.share is None else f"{100 * row.share:.0f} %"
            table.add_row(row.stage, f"{row.per_second:.1f} {unit}", share, f"{row.memory / 1e6:.0f} MB")
        return table


def measure_speed(
    model: str | None = "nano",
    *,
    expressive: bool = True,
    device: str = "auto",
    dtype: str = "float32",
    seconds: float = 60.0,
    audio: Path | str = RECORDING,
    batch_seconds: float | None = None,
    tell: Callable[[str], None] = lambda message: None,
) -> SpeedReport:
    """The speed of each stage of a checkpoint: "nano", a folder, or a Hugging Face repository.

    dtype: what the speech networks compute with; the language model does too where it is not float32, and else has
    its own default. seconds: how much of `audio`, over and over where it is shorter; batch_seconds: how much of it
    goes through the networks at a time (None: what the device has room for). tell: is told what is being done, and
    which parts are left out because the checkpoint is without them.
    Raises CheckpointError where it is without all of them, or a part can't be read, and AudioError.
    """
    checkpoint, place = find_checkpoint(model), find_device(device)
    number = find_dtype(dtype, place)
    clips = cut_clips(read_sound(audio, seconds))
    stopwatch = _Stopwatch(place, matrix_peak(place, number, TRIES), seconds, tell)
    report = SpeedReport(
        checkpoint.name, str(place), torch.get_num_threads(), dtype, seconds, len(clips), stopwatch.peak, ()
    )
    tell(report.setting)
    stages: list[StageSpeed] = []
    spans: list[SpeechSpan] = []
    if _there(checkpoint, _tokenizer_parts(expressive), "tokenize", tell):
        tokenizer = SpeechTokenizer.load(model, expressive, device=device, dtype=dtype)
        stages += _tokenize(stopwatch, tokenizer, dtype, clips, batch_seconds)
        spans = [merge_streams(units) for units in tokenizer.encode_batch(_waveforms(clips), batch_seconds)]
        del tokenizer
    if _there(checkpoint, [lambda c: c.generator(expressive)], "decode", tell):
        if spans:
            vocoder = Vocoder.load(model, expressive, device, dtype)
            stages.append(_decode(stopwatch, vocoder, dtype, spans, batch_seconds))
            del vocoder
        else:
            tell("decode is left out: without tokenize there is nothing to decode")
    if _there(checkpoint, [lambda c: c.language_model(expressive)], "generate", tell):
        # only now: transformers would count in the memory of the other stages
        from spiritlm_cli.language.model import LanguageModel

        lm = LanguageModel.load(model, expressive, device, None if dtype == "float32" else dtype)
        stages.append(_generate(stopwatch, lm))
    if not stages:
        raise CheckpointError(f"{checkpoint.root}: no part whose speed could be measured")
    return replace(report, stages=tuple(stages))


def read_sound(audio: Path | str, seconds: float) -> FloatArray:
    """So much of a file at 16 kHz, from its start, over and over where it is shorter. Raises AudioError."""
    wanted, pieces = round(seconds * SAMPLE_RATE), []
    for window in read_windows(
        Clip(str(audio), audio), rate=SAMPLE_RATE, window_seconds=WINDOW_SECONDS, min_seconds=MIN_SECONDS
    ):
        pieces.append(window.samples)
        if sum(map(len, pieces)) >= wanted:
            break
    return np.resize(np.concatenate(pieces), wanted)


def cut_clips(sound: FloatArray) -> list[FloatArray]:
    """Clips of 2 to 20 s, drawn with a fixed seed, one after another; what is left, up to 22 s, is the last."""
    draw, starts = np.random.default_rng(0), [0]
    while len(sound) - starts[-1] > (LONGEST + SHORTEST) * SAMPLE_RATE:
        starts.append(starts[-1] + int(draw.integers(SHORTEST * SAMPLE_RATE, LONGEST * SAMPLE_RATE)))
    return np.split(sound, starts[1:])


@dataclass(frozen=True)
class _Stopwatch:
    """Measures stages. seconds: of sound that goes into them."""

    device: torch.device
    peak: float
    seconds: float
    tell: Callable[[str], None]

    def measure(
        self,
        stage: str,
        run: Callable[[], float],
        dtype: str,
        unit: Unit = "seconds of sound",
        share: bool = True,
    ) -> StageSpeed:
        """run: does what there is to do, and says of how many units. share: whether all its products are on the
        device and in the numbers whose peak is known."""
        self.tell(f"{stage} …")
        # this warms up too
        _, operations = count_operations(run) if share else (run(), 0)
        reset_peak_memory(self.device)
        amount, took, begun = 0.0, float("inf"), time.perf_counter()
        for _ in range(RUNS):
            synchronize(self.device)
            start = time.perf_counter()
            amount = run()
            synchronize(self.device)
            took = min(took, time.perf_counter() - start)
            if time.perf_counter() - begun > PATIENCE:
                break
        memory = peak_memory(self.device)
        return StageSpeed(
            stage, amount / took, unit, dtype, operations / took / self.peak if share else None, memory
        )

    def hear(self, stage: str, run: Callable[[], Any], dtype: str, share: bool) -> StageSpeed:
        """The same of a run through which all of the sound goes."""

        def heard() -> float:
            run()
            return self.seconds

        return self.measure(stage, heard, dtype, share=share)


def _tokenize(
    stopwatch: _Stopwatch,
    tokenizer: SpeechTokenizer,
    dtype: str,
    clips: list[FloatArray],
    batch_seconds: float | None,
) -> list[StageSpeed]:
    stages = tokenizer_stages(tokenizer, batch_seconds)
    features = stages["f0"](clips) if tokenizer.prosody else []
    found = []
    # F0 and pitch are in float32 whatever is asked for, and pitch is on the CPU
    exact = dtype == "float32"
    for name, stage in stages.items():
        own = name in ("hubert", "style")
        share = own or (exact and (name == "f0" or stopwatch.device.type == "cpu"))
        run = partial(stage, features if name == "pitch" else clips)
        found.append(stopwatch.hear(name, run, dtype if own else "float32", share))
    run = partial(tokenizer.encode_batch, _waveforms(clips), batch_seconds)
    return [*found, stopwatch.hear("tokenize", run, dtype, share=exact or tokenizer.prosody is None)]


def _decode(
    stopwatch: _Stopwatch,
    vocoder: Vocoder,
    dtype: str,
    spans: list[SpeechSpan],
    batch_seconds: float | None,
) -> StageSpeed:
    def run() -> float:
        return sum(sound.seconds for sound in vocoder.decode_batch(spans, batch_seconds=batch_seconds))

    return stopwatch.measure("decode", run, dtype)


def _generate(stopwatch: _Stopwatch, lm: "LanguageModel") -> StageSpeed:
    from spiritlm_cli.language.sampling import Sampling

    sampling = Sampling(greedy=True, max_new_tokens=TOKENS)

    def run() -> float:
        added = 0
        while added < TOKENS:
            generation = lm.generate(TokenSequence(), "speech", sampling)
            added += len(generation.ids) + generation.finished
        return added

    # a token at a time is held up by the reading of weights, which is no matter of products
    dtype = str(lm.network.dtype).removeprefix("torch.")
    return stopwatch.measure("generate", run, dtype, "tokens", share=False)


def _waveforms(clips: list[FloatArray]) -> list[Waveform]:
    return [Waveform(clip, SAMPLE_RATE) for clip in clips]


def _tokenizer_parts(expressive: bool) -> list[Callable[[Checkpoint], Path]]:
    phonetic: list[Callable[[Checkpoint], Path]] = [lambda c: c.hubert, lambda c: c.quantizer]
    return (
        [*phonetic, lambda c: c.pitch, lambda c: c.pitch_config, lambda c: c.style]
        if expressive
        else phonetic
    )


def _there(
    checkpoint: Checkpoint,
    parts: Sequence[Callable[[Checkpoint], Path]],
    stage: str,
    tell: Callable[[str], None],
) -> bool:
    """Whether a checkpoint has all of these; where not, it is said what is missing."""
    try:
        for part in parts:
            part(checkpoint)
    except CheckpointError as error:
        tell(f"{stage} is left out: {error}")
        return False
    return True
