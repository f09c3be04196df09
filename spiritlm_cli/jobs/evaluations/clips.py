"""`evaluate asr` and `tts`: error rates of transcripts of clips."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, TypeVar

from spiritlm_cli.batching import Outcome
from spiritlm_cli.english.normalizers import describe_normalizer
from spiritlm_cli.evaluation import asr, tts
from spiritlm_cli.evaluation.records import Record
from spiritlm_cli.jobs.evaluations.evaluation import BadItem, Evaluation, Measure, Part
from spiritlm_cli.jobs.options.evaluate_clips import (
    AsrOptions,
    EvaluateClipsOptions,
    TtsOptions,
)
from spiritlm_cli.manifests.clip import BadClip, Clip
from spiritlm_cli.manifests.labels import drop_labels
from spiritlm_cli.manifests.manifest import scan_manifest

__all__ = ["AsrEvaluation", "TtsEvaluation"]

Options = TypeVar("Options", bound=EvaluateClipsOptions)


class _Scored(Protocol):
    """The result of one clip."""

    def to_json(self) -> dict[str, Any]:
        """Return an object for `json.dumps`."""
        ...


class _Benchmark(Protocol):
    """Scores clips."""

    def measure(self, clip: Clip) -> _Scored:
        """Score one clip. Raises SpiritLMError."""
        ...


@dataclass(frozen=True)
class _ClipEvaluation(Evaluation[Options, Clip]):
    """Clips of a manifest, one after another."""

    what = "clips"

    def items(self) -> Sequence[Clip | BadItem]:
        """Read the clips of the manifest."""
        clips = drop_labels(scan_manifest(self.options.manifest))
        return [
            BadItem(clip.id, clip.source, clip.error) if isinstance(clip, BadClip) else clip for clip in clips
        ]

    @contextmanager
    def load(self) -> Iterator[Measure[Clip]]:
        """Load the models. Raises CheckpointError, and MissingPackageError without a recognizer."""
        yield partial(_measure, self._benchmark())

    def _benchmark(self) -> _Benchmark:
        raise NotImplementedError


@dataclass(frozen=True)
class AsrEvaluation(_ClipEvaluation[AsrOptions]):
    """Transcripts of the language model."""

    @property
    def parts(self) -> tuple[Part, ...]:
        """The tokenizer and the language model."""
        return "tokenizer", "language model"

    def facts(self) -> dict[str, Any]:
        """How the transcripts are generated."""
        return {
            "shots": 0,
            "tokens at most": self.options.max_new_tokens,
            "normalizer": describe_normalizer(self.options.normalizer),
        }

    def _benchmark(self) -> asr.SpeechToText:
        options = self.options
        return asr.SpeechToText.load(
            options.checkpoint,
            expressive=options.expressive,
            device=options.device,
            dtype=options.dtype,
            sampling=replace(asr.SAMPLING, max_new_tokens=options.max_new_tokens),
            task=options.form,
            normalizer=options.normalizer,
        )


@dataclass(frozen=True)
class TtsEvaluation(_ClipEvaluation[TtsOptions]):
    """Transcripts of the language model's speech."""

    @property
    def parts(self) -> tuple[Part, ...]:
        """The language model and the vocoder."""
        return "language model", "vocoder"

    def facts(self) -> dict[str, Any]:
        """How the speech is generated, and the recognizer."""
        options = self.options
        return {
            "shots": 0,
            "tokens at most": options.max_new_tokens,
            "seed": options.seed,
            "recognizer": options.asr,
            "normalizer": describe_normalizer(options.normalizer),
        }

    def _benchmark(self) -> tts.TextToSpeech:
        options = self.options
        return tts.TextToSpeech.load(
            options.checkpoint,
            expressive=options.expressive,
            device=options.device,
            dtype=options.dtype,
            recognizer=options.asr,
            speaker=options.speaker,
            sampling=replace(tts.SAMPLING, max_new_tokens=options.max_new_tokens, seed=options.seed),
            normalizer=options.normalizer,
        )


def _measure(benchmark: _Benchmark, clips: Iterable[Clip]) -> Iterator[tuple[Clip, Outcome[Record]]]:
    for clip in clips:
        yield clip, Outcome.of(lambda clip=clip: benchmark.measure(clip).to_json())  # type: ignore[misc]
