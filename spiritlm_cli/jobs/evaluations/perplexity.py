"""`evaluate perplexity`: token lines, text or clips."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from spiritlm_cli.audio.reading import read_windows
from spiritlm_cli.batching import Outcome
from spiritlm_cli.errors import ManifestError, TokenError
from spiritlm_cli.evaluation.clip_units import encode_clips
from spiritlm_cli.evaluation.perplexity import perplexity_record, tally, windows
from spiritlm_cli.evaluation.records import Record
from spiritlm_cli.jobs.evaluations.evaluation import BadItem, Evaluation, Measure, Part
from spiritlm_cli.jobs.lines import read_input
from spiritlm_cli.jobs.options.evaluate_perplexity import PerplexityOptions
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.scoring import ScoredIds
from spiritlm_cli.language.token_scores import TokenScores
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.manifests.clip import BadClip, Clip
from spiritlm_cli.manifests.manifest import scan_manifest
from spiritlm_cli.manifests.word_times import NOT_IN_TEXT
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.text_files import numbered_lines
from spiritlm_cli.tokens.sequence import Sequence as TokenSequence
from spiritlm_cli.tokens.sequence import TextSpan
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.tokens.units import Units

__all__ = ["PerplexityEvaluation"]


# Seconds of audio in memory while its length is counted.
_SECONDS_AT_ONCE = 60


@dataclass(frozen=True)
class _Item:
    """A line or a clip to score."""

    id: str
    source: str
    content: TokenSequence | Clip


@dataclass(frozen=True)
class PerplexityEvaluation(Evaluation[PerplexityOptions, _Item]):
    """Lines of token files or of text, or clips of a manifest."""

    what = "inputs"

    @property
    def parts(self) -> tuple[Part, ...]:
        """The language model, and the tokenizer for clips."""
        return ("language model",) if self.options.manifest is None else ("tokenizer", "language model")

    def items(self) -> Sequence[_Item | BadItem]:
        """Read the lines or the clips; blank lines without an id are left out."""
        options = self.options
        if options.manifest is not None:
            return [
                BadItem(clip.id, clip.source, clip.error)
                if isinstance(clip, BadClip)
                else _Item(clip.id, str(clip.source), clip)
                for clip in scan_manifest(options.manifest)
            ]
        return list(self._texts() if options.text else self._token_lines())

    def facts(self) -> dict[str, Any]:
        """What counts."""
        kind = (
            "clips" if self.options.manifest is not None else "text" if self.options.text else "token lines"
        )
        return {
            "read as": kind,
            "markers": "not counted",
            "long inputs": "windows that overlap by half a context",
        }

    @contextmanager
    def load(self) -> Iterator[Measure[_Item]]:
        """Load the language model, and the tokenizer once there is a clip. Raises CheckpointError."""
        options = self.options
        lm = LanguageModel.load(options.checkpoint, options.expressive, options.device, options.dtype)
        load_tokenizer = partial(
            SpeechTokenizer.load, options.checkpoint, expressive=options.expressive, device=options.device
        )
        yield partial(_measure, lm, cache(load_tokenizer), options)

    def _texts(self) -> Iterator[_Item | BadItem]:
        for path in self.options.sources:
            for line_number, line in numbered_lines(path):
                name = f"{Path(path).name}:{line_number}"
                if isinstance(line, ManifestError):
                    yield BadItem(name, path, line)
                elif NOT_IN_TEXT.search(line):
                    yield BadItem(name, path, ManifestError(f"{path}: line {line_number}: holds NUL"))
                elif line.strip():
                    yield _Item(name, path, TokenSequence.of([TextSpan(line)]))

    def _token_lines(self) -> Iterator[_Item | BadItem]:
        for line in read_input(self.options.sources, self.options.checkpoint):
            name = line.id or f"{Path(line.source).name}:{line.line_number}"
            if isinstance(line.content, TokenError):
                yield BadItem(name, line.source, TokenError(line.reason(line.content)))
            elif line.sequence.spans:
                yield _Item(name, line.source, line.sequence)
            elif line.id:
                yield BadItem(name, line.source, TokenError(line.reason(TokenError("nothing to score"))))


@dataclass(frozen=True)
class _Windows:
    """What an item is read as. seconds: of a clip's audio."""

    sequence: TokenSequence
    seconds: float | None
    windows: list[ScoredIds]


@dataclass(frozen=True)
class _Encoded:
    """An item and its windows, or the error in their place."""

    item: _Item
    read: Outcome[_Windows]

    def windows(self) -> list[ScoredIds]:
        """Raises the error of the item's clip, and TokenError for units that the model does not have."""
        return self.read.result().windows

    def record(self, scores: Iterable[TokenScores], vocabulary: Vocabulary) -> Record:
        """The record of the item. Raises TokenError if no token was scored, and what `windows` raises."""
        log_probabilities = [part.log_probabilities.tolist() for part in scores]
        read = self.read.result()
        scored = [window.ids[window.context :] for window in read.windows]
        tallies = tally(zip(scored, log_probabilities, strict=True), vocabulary)
        if not tallies:
            raise TokenError(f"{self.item.source}: {self.item.id} has no token to score")
        return perplexity_record(read.sequence, tallies, read.seconds)


def _measure(
    lm: LanguageModel,
    tokenizer: Callable[[], SpeechTokenizer],
    options: PerplexityOptions,
    items: Iterable[_Item],
) -> Iterator[tuple[_Item, Outcome[Record]]]:
    for chunk in encode_clips(items, _clips, tokenizer, options.batch_seconds, options.workers):
        encoded = [
            _Encoded(item, Outcome.of(partial(_read, lm, item.content, units))) for item, units in chunk
        ]
        for one, outcome in lm.score_tokens_stream(encoded, _Encoded.windows):
            yield one.item, Outcome.of(partial(one.record, outcome, lm.vocabulary))


def _clips(item: _Item) -> list[Clip]:
    return [item.content] if isinstance(item.content, Clip) else []


def _read(lm: LanguageModel, content: TokenSequence | Clip, units: Outcome[Units]) -> _Windows:
    sequence, seconds = content, None
    if isinstance(sequence, Clip):
        # Not the length of the units: a tokenizer drops an incomplete frame at the end.
        parts = read_windows(sequence, window_seconds=_SECONDS_AT_ONCE, min_seconds=1)
        seconds = sum(part.seconds for part in parts)
        sequence = TokenSequence.of([merge_streams(units.result())])
    ids = lm.vocabulary.encode(sequence)
    return _Windows(sequence, seconds, list(windows(ids, lm.vocabulary, lm.context_length)))
