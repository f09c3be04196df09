"""Interleaved sequences of units and the text that they say."""

import random
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from spiritlm_cli.errors import AlignmentError
from spiritlm_cli.interleaving.spans import Modality, Mode, SpanOptions, WordSpan, draw_spans
from spiritlm_cli.interleaving.word_units import timed_words, unit_boundaries
from spiritlm_cli.manifests.clip import Alignment
from spiritlm_cli.tokens.sequence import Line, Sequence, Span, SpeechSpan, TextSpan
from spiritlm_cli.tokens.timeline import HUBERT_RATE, merge_streams, timed_units
from spiritlm_cli.tokens.units import Kind, Unit, Units


@dataclass(frozen=True, eq=False)
class Utterance:
    """A clip's units, what is said in it ("" where unknown), and when, which only interleaving needs."""

    id: str
    units: Units
    text: str
    alignment: Alignment | None = None

    @property
    def seconds(self) -> float:
        """How long its units sound."""
        return len(self.units.hubert) / HUBERT_RATE


@dataclass(frozen=True)
class TimedSpan:
    """One span as it was cut. text: its part of the transcript, also under speech; start, end: seconds."""

    words: WordSpan
    text: str
    span: Span
    start: float
    end: float


def interleave(
    units: Units, text: str, alignment: Alignment | None, options: SpanOptions, rng: random.Random
) -> Sequence:
    """One sequence of an utterance, its spans drawn from `rng`; see `cut_spans` for how they are cut.

    Raises AlignmentError where the mode asks for text or word times and there are none, and where text and
    alignment don't have the same words.
    """
    if options.mode is not Mode.SPEECH and not text.strip():
        raise AlignmentError("no text")
    if options.mode is Mode.INTERLEAVE:
        if alignment is None:
            raise AlignmentError("no word times")
        return Sequence.of(cut.span for cut in cut_spans(units, text, alignment, options, rng))
    speech = merge_streams(units, options.keep_repeats)
    written = TextSpan(text)
    spans: dict[Mode, tuple[Span, ...]] = {
        Mode.SPEECH: (speech,),
        Mode.TEXT: (written,),
        Mode.ASR: (speech, written),
        Mode.TTS: (written, speech),
    }
    return Sequence.of(spans[options.mode])


def cut_spans(
    units: Units, text: str, alignment: Alignment, options: SpanOptions, rng: random.Random
) -> tuple[TimedSpan, ...]:
    """The spans of an utterance in turn, each with its part of the transcript (`timed_words`) and its seconds.

    A speech span has the units of its words (`unit_boundaries`), merged as in the whole clip, and starts with the
    style and the pitch that hold there. Where its words have no unit (too short, or nothing to say), they
    stay text. Raises AlignmentError where text and alignment don't have the same words.
    """
    words = timed_words(text, alignment)
    bounds = unit_boundaries(units, words)
    timeline = UnitTimeline(units)
    cuts = []
    for drawn in draw_spans(len(words), options, rng):
        said = words[drawn.first : drawn.stop]
        part = "".join(word.text for word in said)
        span: Span = TextSpan(part)
        if drawn.modality is Modality.SPEECH:
            speech = timeline.cut(int(bounds[drawn.first]), int(bounds[drawn.stop]), options.keep_repeats)
            if speech.units:
                span = speech
            else:
                drawn = WordSpan(Modality.TEXT, drawn.first, drawn.stop)
        cuts.append(TimedSpan(drawn, part, span, said[0].start, said[-1].end))
    return tuple(cuts)


class UnitTimeline:
    """A clip's units in time order, to cut spans from."""

    def __init__(self, units: Units) -> None:
        self._units = timed_units(units, keep_repeats=True).units
        # of each phonetic unit: its place among all, and the style and pitch that hold there
        self._places: list[int] = []
        self._held: list[tuple[Unit, ...]] = []
        held: dict[Kind, Unit] = {}
        for place, unit in enumerate(self._units):
            if unit.kind is Kind.HUBERT:
                self._places.append(place)
                self._held.append(tuple(held[kind] for kind in (Kind.STYLE, Kind.PITCH) if kind in held))
            else:
                held[unit.kind] = unit

    def cut(self, first: int, stop: int, keep_repeats: bool = False) -> SpeechSpan:
        """Phonetic units `first` to before `stop` with the pitch and style units between them.

        In front stand the style and the pitch that hold at the first of them, so the span reads as if it had
        been tokenized in place; units that follow a clip's last phonetic unit stay with it.
        """
        if first >= stop:
            return SpeechSpan(())
        begin = self._places[first]
        end = len(self._units) if stop == len(self._places) else self._places[stop - 1] + 1
        span = (*self._held[first], *self._units[begin:end])
        return SpeechSpan(span if keep_repeats else _without_repeats(span))


def _without_repeats(units: tuple[Unit, ...]) -> tuple[Unit, ...]:
    """Runs of equal phonetic units, and of equal pitch units, as one; style units all stay."""
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
    """Sequences of every utterance, drawn anew for each epoch and copy; several copies get ids id#0, id#1 …

    What is drawn depends on the seed, the epoch, the copy and the utterance's id alone, not on its
    neighbours: shards and restarts give the same lines. Raises AlignmentError as `interleave` does.
    """
    for utterance in utterances:
        for copy in range(copies):
            rng = line_rng(seed, utterance.id, epoch=epoch, copy=copy)
            sequence = interleave(utterance.units, utterance.text, utterance.alignment, options, rng)
            yield Line(sequence, f"{utterance.id}#{copy}" if copies > 1 else utterance.id)


def sample_sequences(
    utterances: Collection[Utterance], options: SpanOptions, rng: random.Random
) -> Iterator[Sequence]:
    """Sequences of utterances taken at random, each drawn anew: what training learns from.

    Raises AlignmentError as `interleave` does.
    """
    choices = list(utterances)
    while True:
        utterance = rng.choice(choices)
        yield interleave(utterance.units, utterance.text, utterance.alignment, options, rng)


def line_rng(seed: int, utterance_id: str, *, epoch: int = 0, copy: int = 0) -> random.Random:
    """The random numbers of one line."""
    return random.Random(f"{seed} {epoch} {copy} {utterance_id}")
