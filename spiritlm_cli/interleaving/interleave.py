"""Sequences of interleaved speech and text from utterances with word times."""

import random
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from spiritlm_cli.errors import AlignmentError
from spiritlm_cli.interleaving.spans import Modality, Mode, SpanOptions, WordSpan, draw_spans
from spiritlm_cli.interleaving.untranscribed import Interval
from spiritlm_cli.interleaving.word_units import timed_words, unit_boundaries
from spiritlm_cli.manifests.clip import Alignment
from spiritlm_cli.tokens.sequence import Line, Sequence, Span, SpeechSpan, TextSpan
from spiritlm_cli.tokens.timeline import HUBERT_RATE, merge_streams, timed_units
from spiritlm_cli.tokens.units import Kind, Unit, Units


@dataclass(frozen=True, eq=False)
class Utterance:
    """The units of a clip, its transcript ("" if unknown), and its word times, which only interleaving needs.

    untranscribed: intervals of speech that the transcript does not have (`find_untranscribed`).
    """

    id: str
    units: Units
    text: str
    alignment: Alignment | None = None
    untranscribed: tuple[Interval, ...] = ()

    @property
    def seconds(self) -> float:
        """Duration of the units."""
        return len(self.units.hubert) / HUBERT_RATE


@dataclass(frozen=True)
class TimedSpan:
    """One span of an utterance. text: its part of the transcript, also of a speech span; start, end: seconds."""

    words: WordSpan
    text: str
    span: Span
    start: float
    end: float


def interleave(
    units: Units,
    text: str,
    alignment: Alignment | None,
    options: SpanOptions,
    rng: random.Random,
    untranscribed: tuple[Interval, ...] = (),
) -> Sequence:
    """Make a sequence of an utterance in the mode of `options`; spans are drawn from `rng` (see `cut_spans`).

    untranscribed: intervals whose units are left out, except in the mode of speech alone.
    Raises AlignmentError if the mode needs text or word times and there are none, and if text and alignment have
    different words.
    """
    if options.mode is not Mode.SPEECH and not text.strip():
        raise AlignmentError("no text")
    if options.mode is Mode.INTERLEAVE:
        if alignment is None:
            raise AlignmentError("no word times")
        spans = cut_spans(units, text, alignment, options, rng, untranscribed)
        return Sequence.of(timed.span for timed in spans)
    if untranscribed and options.mode is not Mode.SPEECH:
        kept = UnitTimeline(units, untranscribed)
        speech = kept.cut(0, len(units.hubert), options.keep_repeats)
    else:
        speech = merge_streams(units, options.keep_repeats)
    transcript = TextSpan(text)
    forms: dict[Mode, tuple[Span, ...]] = {
        Mode.SPEECH: (speech,),
        Mode.TEXT: (transcript,),
        Mode.ASR: (speech, transcript),
        Mode.TTS: (transcript, speech),
    }
    return Sequence.of(forms[options.mode])


def cut_spans(
    units: Units,
    text: str,
    alignment: Alignment,
    options: SpanOptions,
    rng: random.Random,
    untranscribed: tuple[Interval, ...] = (),
) -> tuple[TimedSpan, ...]:
    """Draw the spans of an utterance, each with its part of the transcript (`timed_words`) and its times.

    A speech span has the units of its words (`unit_boundaries`), deduplicated as in the whole clip, and starts with
    the style and pitch units in effect there. If its words have no unit, since they are too short, it becomes text.
    The units of untranscribed intervals are left out.

    Raises AlignmentError if text and alignment have different words.
    """
    words = timed_words(text, alignment)
    bounds = unit_boundaries(units, words)
    timeline = UnitTimeline(units, untranscribed)
    spans = []
    for drawn in draw_spans(len(words), options, rng):
        span_words = words[drawn.first : drawn.stop]
        span_text = "".join(word.text for word in span_words)
        span: Span = TextSpan(span_text)
        if drawn.modality is Modality.SPEECH:
            speech = timeline.cut(int(bounds[drawn.first]), int(bounds[drawn.stop]), options.keep_repeats)
            if speech.units:
                span = speech
            else:
                drawn = WordSpan(Modality.TEXT, drawn.first, drawn.stop)
        spans.append(TimedSpan(drawn, span_text, span, span_words[0].start, span_words[-1].end))
    return tuple(spans)


class UnitTimeline:
    """The units of a clip in time order, from which speech spans are cut."""

    def __init__(self, units: Units, untranscribed: tuple[Interval, ...] = ()) -> None:
        """untranscribed: intervals whose phonetic units, those with the center within, are left out of all spans."""
        centers = (np.arange(len(units.hubert)) + 0.5) / HUBERT_RATE
        self._is_kept = np.ones(len(centers), dtype=bool)
        for start, end in untranscribed:
            self._is_kept &= (centers < start) | (centers >= end)
        self._units = timed_units(units, keep_repeats=True).units
        # For each phonetic unit: its index among all units, and the style and pitch units in effect.
        self._indices: list[int] = []
        self._contexts: list[tuple[Unit, ...]] = []
        current: dict[Kind, Unit] = {}
        for index, unit in enumerate(self._units):
            if unit.kind is Kind.HUBERT:
                self._indices.append(index)
                self._contexts.append(
                    tuple(current[kind] for kind in (Kind.STYLE, Kind.PITCH) if kind in current)
                )
            else:
                current[unit.kind] = unit

    def cut(self, first: int, stop: int, keep_repeats: bool = False) -> SpeechSpan:
        """The span of phonetic units `first` up to but not including `stop`, with the pitch and style units between.

        It starts with the style and pitch units in effect at its first phonetic unit, as if it had been tokenized
        there; and so does each part after units that are left out. Units after the last phonetic unit of the clip
        belong to that unit.
        """
        kept = self._is_kept[first:stop]
        edges = np.flatnonzero(np.diff(np.concatenate([[False], kept, [False]]).astype(np.int8))) + first
        parts = edges.reshape(-1, 2).tolist()
        return SpeechSpan(tuple(unit for begin, end in parts for unit in self._cut(begin, end, keep_repeats)))

    def _cut(self, first: int, stop: int, keep_repeats: bool) -> tuple[Unit, ...]:
        begin = self._indices[first]
        end = len(self._units) if stop == len(self._indices) else self._indices[stop - 1] + 1
        span = (*self._contexts[first], *self._units[begin:end])
        return span if keep_repeats else _merge_runs(span)


def _merge_runs(units: tuple[Unit, ...]) -> tuple[Unit, ...]:
    """Merge runs of equal phonetic units and of equal pitch units; keep all style units."""
    kept = []
    last: dict[Kind, int] = {}
    for unit in units:
        if unit.kind is Kind.STYLE or last.get(unit.kind) != unit.id:
            kept.append(unit)
        last[unit.kind] = unit.id
    return tuple(kept)


def draw_lines(
    utterances: Iterable[Utterance], options: SpanOptions, *, seed: int = 0, epoch: int = 0, copies: int = 1
) -> Iterator[Line]:
    """Draw the lines of all utterances, with other spans for each epoch and copy. Several copies have ids id#0, id#1, …

    A line depends only on the seed, the epoch, the copy and the id of its utterance, so shards and resumed runs give
    the same lines. Raises AlignmentError as `interleave`.
    """
    for utterance in utterances:
        for copy in range(copies):
            rng = line_rng(seed, utterance.id, epoch=epoch, copy=copy)
            sequence = _sequence(utterance, options, rng)
            yield Line(sequence, f"{utterance.id}#{copy}" if copies > 1 else utterance.id)


def sample_sequences(
    utterances: Collection[Utterance], options: SpanOptions, rng: random.Random
) -> Iterator[Sequence]:
    """Yield sequences of random utterances without end, each with newly drawn spans, for training.

    Raises AlignmentError as `interleave`.
    """
    candidates = list(utterances)
    while True:
        yield _sequence(rng.choice(candidates), options, rng)


def _sequence(utterance: Utterance, options: SpanOptions, rng: random.Random) -> Sequence:
    return interleave(
        utterance.units, utterance.text, utterance.alignment, options, rng, utterance.untranscribed
    )


def line_rng(seed: int, utterance_id: str, *, epoch: int = 0, copy: int = 0) -> random.Random:
    """The random number generator of one line of `draw_lines`."""
    return random.Random(f"{seed} {epoch} {copy} {utterance_id}")
