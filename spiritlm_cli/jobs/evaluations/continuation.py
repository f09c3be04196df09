"""`evaluate continuation`: perplexity and diversity of the speech with which clips are continued."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from spiritlm_cli.audio.decoders import open_decoder
from spiritlm_cli.errors import AudioError, ManifestError
from spiritlm_cli.evaluation.continuation import Continuation, ContinuationItem
from spiritlm_cli.evaluation.judges.asr import describe_asr, load_asr
from spiritlm_cli.evaluation.judges.folders import describe_folder
from spiritlm_cli.evaluation.judges.text_lm import TextLanguageModel
from spiritlm_cli.evaluation.repetition import split_words
from spiritlm_cli.jobs.evaluations.evaluation import BadItem, Evaluation, Measure, Part
from spiritlm_cli.jobs.evaluations.saved_audio import check_saved_audio, save_audio
from spiritlm_cli.jobs.options.evaluate_continuation import ContinuationOptions
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.manifests.clip import BadClip, Clip, Waveform
from spiritlm_cli.manifests.discovery import find_clips
from spiritlm_cli.manifests.filenames import filename_for
from spiritlm_cli.manifests.librispeech import is_librispeech, scan_librispeech
from spiritlm_cli.manifests.manifest import scan_manifest
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.vocoder.vocoder import Vocoder

__all__ = ["ContinuationEvaluation"]

# GSLM takes clips of at least this many seconds.
_MIN_SECONDS = 6.0
# The tokens that slamkit generates, and its top-k.
_SLAMKIT_TOKENS = 150
_SLAMKIT_TOP_K = 25
_RIGHT_ENDING = re.compile(r"(?:.+_)?correct")
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class ContinuationEvaluation(Evaluation[ContinuationOptions, ContinuationItem]):
    """The clips themselves, and each clip at each temperature."""

    what = "continuations"

    @property
    def parts(self) -> tuple[Part, ...]:
        """All parts of the model."""
        return ("tokenizer", "language model", "vocoder")

    @property
    def group_size(self) -> int:
        """The items of a clip, so that all temperatures are measured on the same clips."""
        return len(self._temperatures)

    def items(self) -> Sequence[ContinuationItem | BadItem]:
        """The clips that the form selects, each at all temperatures one after another."""
        _select.cache_clear()  # the files may have changed since an earlier run
        selection = _select(self.options)
        items = [
            ContinuationItem(clip, temperature)
            for clip in selection.clips
            for temperature in self._temperatures
        ]
        return [*items, *selection.bad]

    def facts(self) -> dict[str, Any]:
        """The form, the judges and the sampling."""
        options, sampling = self.options, self._sampling
        split_words("", options.tokens)  # an error if its package is missing
        return {
            "form": options.form,
            "clips": _select(options).description,
            "recognizer": describe_asr(options.asr),
            "text language model": describe_folder(str(options.text_lm), "text language model"),
            "prompt": f"{options.prompt_seconds:g} s",
            "voice": options.speaker or "the default",
            "sampling": f"top-p {sampling.top_p:g}, top-k {sampling.top_k}, seed {options.seed}",
            "max new tokens": sampling.max_new_tokens or "the rest of the clip",
            "words": f"{options.tokens} (auto-BLEU slamkit), white space (others)",
        }

    @contextmanager
    def load(self) -> Iterator[Measure[ContinuationItem]]:
        """Load the model and the judges. Raises CheckpointError, and MissingPackageError without faster-whisper."""
        options = self.options
        checkpoint, expressive, device = options.checkpoint, options.expressive, options.device
        yield Continuation(
            SpeechTokenizer.load(checkpoint, expressive=expressive, device=device),
            LanguageModel.load(checkpoint, expressive=expressive, device=device, dtype=options.dtype),
            Vocoder.load(checkpoint, expressive=expressive, device=device),
            load_asr(options.asr, device),
            TextLanguageModel.load(str(options.text_lm), device),
            options.form,
            self._sampling,
            options.prompt_seconds,
            options.speaker,
            options.batch_size,
            self._save if options.save_audio else None,
        ).measure

    @property
    def _temperatures(self) -> tuple[float | None, ...]:
        return ((None,) if self.options.original else ()) + self.options.temperatures

    @property
    def _sampling(self) -> Sampling:
        options, is_slamkit = self.options, self.options.form == "slamkit"
        return Sampling(
            top_p=options.top_p if options.top_p is not None else 1.0 if is_slamkit else 0.95,
            top_k=options.top_k if options.top_k is not None else _SLAMKIT_TOP_K if is_slamkit else 0,
            max_new_tokens=options.max_new_tokens or (_SLAMKIT_TOKENS if is_slamkit else None),
            seed=options.seed,
        )

    def _save(self, item: ContinuationItem, waveform: Waveform) -> str:
        save_audio(self.options.save_audio, item.id, waveform)
        return f"{filename_for(item.id)}.wav"


@dataclass(frozen=True)
class _Selection:
    """The clips to continue, those that can't be read, and a description of how many were left out and why."""

    clips: tuple[Clip, ...]
    bad: tuple[BadItem, ...]
    description: str


@lru_cache(maxsize=1)
def _select(options: ContinuationOptions) -> _Selection:
    """Select clips as the form does. Raises ManifestError if all are too short."""
    clips = list(_scan(options.path))
    good = [clip for clip in clips if isinstance(clip, Clip)]
    if options.save_audio:
        check_saved_audio(options.save_audio, [clip.source for clip in good])
    bad = [BadItem(clip.id, clip.source, clip.error) for clip in clips if isinstance(clip, BadClip)]
    unreadable: list[BadItem] = []
    if options.form == "gslm":
        (selected, unreadable), reason = _select_shortest(good), f"shorter than {_MIN_SECONDS:g} s"
    else:
        selected, reason = _select_first(good), "not the right ending"
    if good and not selected and not unreadable:
        raise ManifestError(
            f"{options.path}: no clip has {_MIN_SECONDS:g} s, as --form gslm needs; --form slamkit takes "
            "shorter ones"
        )
    used = tuple(selected[: options.clips])
    left_out = {
        reason: len(good) - len(unreadable) - len(selected),
        "beyond --clips": len(selected) - len(used),
    }
    parts = [f"{count} left out ({why})" for why, count in left_out.items() if count]
    return _Selection(used, (*bad, *unreadable), ", ".join([f"{len(used)} of {len(clips)}", *parts]))


def _scan(path: Path) -> Iterator[Clip | BadClip]:
    if not path.is_dir():
        return scan_manifest(path)
    return scan_librispeech(path) if is_librispeech(path) else find_clips([str(path)])


def _select_shortest(clips: Sequence[Clip]) -> tuple[list[Clip], list[BadItem]]:
    """The clips of at least 6 s, the shortest first, and those that can't be read."""
    lengths, bad = [], []
    for clip in clips:
        try:
            seconds = _seconds(clip)
        except AudioError as error:
            bad.append(BadItem(clip.id, clip.source, error))
            continue
        if seconds >= _MIN_SECONDS:
            lengths.append((seconds, clip.id, clip))
    return [clip for *_, clip in sorted(lengths, key=lambda one: one[:2])], bad


def _select_first(clips: Sequence[Clip]) -> list[Clip]:
    """Clips by the number that their names begin with, and name; of stories with two endings, the right ones."""
    right = [clip for clip in clips if _RIGHT_ENDING.fullmatch(Path(clip.source).stem)]

    def key(clip: Clip) -> tuple[float, str]:
        number = _NUMBER.match(Path(clip.source).name)
        return (int(number[0]) if number else float("inf"), clip.id)

    return sorted(right or clips, key=key)


def _seconds(clip: Clip) -> float:
    """The length of a clip, by the header of its file. Raises AudioError."""
    with open_decoder(clip.source, str(clip.source)) as decoder:
        length: float = decoder.frames / decoder.audio.samplerate
    return (length if clip.end is None else min(clip.end, length)) - (clip.start or 0.0)
