"""When each unit of a clip or of a token line sounds: the runs of each stream, with their times."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from spiritlm_cli.errors import TokenError
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.timeline import (
    HUBERT_RATE,
    PITCH_RATE,
    STYLE_RATE,
    RepeatDetector,
    run_starts,
)
from spiritlm_cli.tokens.units import IntArray, Kind, Unit, Units
from spiritlm_cli.vocoder.durations import DurationPredictor

RATES = {Kind.HUBERT: HUBERT_RATE, Kind.PITCH: PITCH_RATE, Kind.STYLE: STYLE_RATE}
STREAM_NAMES = {Kind.HUBERT: "phonetic", Kind.PITCH: "pitch", Kind.STYLE: "style"}


@dataclass(frozen=True, eq=False)
class Lane:
    """One stream: its runs of equal units, in time order.

    ids: (runs,) int64. starts, ends: (runs,) float64, seconds. counts: (runs,) int64, how many units of the input each
    run has.
    """

    kind: Kind
    ids: IntArray
    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    counts: IntArray

    def __len__(self) -> int:
        return len(self.ids)

    def unit(self, index: int) -> Unit:
        """The unit of a run."""
        return Unit(self.kind, int(self.ids[index]))

    def sample(self, rate: float, seconds: float) -> IntArray:
        """The unit in force at 0, 1 / rate, 2 / rate, … up to `seconds`. Returns (round(rate * seconds),) int64.

        Before the first run it is the first unit, as in a vocoder. Raises ValueError for a lane without runs.
        """
        if not len(self):
            raise ValueError("a lane without runs has no unit")
        # Half a frame later, so that rounding can't take the run before.
        times = (np.arange(round(rate * seconds)) + 0.5) / rate
        return self.ids[np.maximum(np.searchsorted(self.starts, times, side="right") - 1, 0)]


@dataclass(frozen=True)
class TextMark:
    """A text span of a sequence. seconds: where it stands in the speech of the sequence."""

    text: str
    seconds: float


@dataclass(frozen=True, eq=False)
class Timeline:
    """The lanes of the streams that are there (phonetic, pitch, style), and the text spans between the speech.

    seconds: duration of the speech. predicted: whether the durations are those of a vocoder's duration predictor, since
    the runs of the units were merged; otherwise each phonetic unit lasts 40 ms.
    """

    lanes: tuple[Lane, ...]
    seconds: float
    texts: tuple[TextMark, ...] = ()
    predicted: bool = False

    def lane(self, kind: Kind) -> Lane | None:
        """The lane of a stream; None if the input does not have the stream."""
        return next((lane for lane in self.lanes if lane.kind is kind), None)


def units_timeline(units: Units) -> Timeline:
    """The timeline of the units of a clip, as a tokenizer encodes them.

    The last unit of a stream ends with the clip.
    """
    seconds = len(units.hubert) / HUBERT_RATE
    lanes = []
    for kind, ids in ((Kind.HUBERT, units.hubert), (Kind.PITCH, units.pitch), (Kind.STYLE, units.style)):
        if ids is not None:
            first = run_starts(ids)
            edges = np.minimum(np.append(first, len(ids)) / RATES[kind], seconds)
            if len(first):
                edges[-1] = seconds
            counts = np.diff(np.append(first, len(ids)))
            lanes.append(Lane(kind, ids[first], edges[:-1], edges[1:], counts))
    return Timeline(tuple(lanes), seconds)


def sequence_timeline(sequence: Sequence, load_predictor: Callable[[], DurationPredictor]) -> Timeline:
    """The timeline of the speech of a token line, as a vocoder would say it.

    Phonetic units last 40 ms each if runs were kept (see `RepeatDetector`), and otherwise as long as the predictor
    says, which is loaded only then.
    A pitch or style unit holds from the next phonetic unit after it to that after the next unit of its stream, which
    may be no time at all. Text spans take no time.
    Raises TokenError for a phonetic unit whose duration the predictor does not know.
    """
    units = [unit for span in sequence.speech for unit in span.units]
    hubert = np.array([unit.id for unit in units if unit.kind is Kind.HUBERT], dtype=np.int64)
    repeats = RepeatDetector()
    for span in sequence.spans:
        repeats.add(span)
    predicted = repeats.margin <= 0
    frames = _predicted_frames(hubert, load_predictor) if predicted else np.ones(len(hubert), dtype=np.int64)
    # The time at which phonetic unit i starts; at the end, the duration of all.
    edges = np.concatenate([[0], np.cumsum(frames)]) / HUBERT_RATE
    lanes = (_lane(kind, sequence, edges) for kind in Kind)
    return Timeline(
        tuple(lane for lane in lanes if len(lane) or lane.kind is Kind.HUBERT),
        float(edges[-1]),
        _text_marks(sequence, edges),
        predicted,
    )


def _predicted_frames(hubert: IntArray, load_predictor: Callable[[], DurationPredictor]) -> IntArray:
    if not len(hubert):
        return hubert
    predictor = load_predictor()
    if hubert.max() >= predictor.num_units:
        unit, last = Unit(Kind.HUBERT, int(hubert.max())), Unit(Kind.HUBERT, predictor.num_units - 1)
        raise TokenError(f"{unit} is not a unit of this vocoder, which has {Unit(Kind.HUBERT, 0)} to {last}")
    frames: IntArray = predictor.frames(torch.from_numpy(hubert)).numpy()
    return frames


def _lane(kind: Kind, sequence: Sequence, edges: NDArray[np.float64]) -> Lane:
    """The lane of one stream. edges: (phonetic units + 1,) seconds at which each starts, and the end of the last."""
    ids: list[int] = []
    starts: list[float] = []
    counts: list[int] = []
    position = 0
    for span in sequence.spans:
        if isinstance(span, TextSpan):
            continue
        previous: int | None = None  # a text span separates runs
        for unit in span.units:
            if unit.kind is kind:
                if unit.id == previous:
                    counts[-1] += 1
                else:
                    ids.append(unit.id)
                    starts.append(float(edges[position]))
                    counts.append(1)
                previous = unit.id
            position += unit.kind is Kind.HUBERT
    if starts and kind is not Kind.HUBERT:
        starts[0] = 0.0  # phonetic units before the first pitch or style unit have that one
    ends = np.array([*starts[1:], edges[-1]] if starts else [], dtype=np.float64)
    return Lane(
        kind,
        np.array(ids, dtype=np.int64),
        np.array(starts, dtype=np.float64),
        ends,
        np.array(counts, dtype=np.int64),
    )


def _text_marks(sequence: Sequence, edges: NDArray[np.float64]) -> tuple[TextMark, ...]:
    marks: list[TextMark] = []
    position = 0
    for span in sequence.spans:
        if isinstance(span, TextSpan):
            marks.append(TextMark(span.text, float(edges[position])))
        else:
            position += _phonetic(span)
    return tuple(marks)


def _phonetic(span: SpeechSpan) -> int:
    return sum(unit.kind is Kind.HUBERT for unit in span.units)
