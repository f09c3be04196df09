"""Statistics of clips and token lines, one or many: spans, text, silence, lengths, and those of each stream."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from spiritlm_cli.audio.levels import silent_frames
from spiritlm_cli.inspection.codebooks import NO_CODEBOOKS, Codebooks
from spiritlm_cli.inspection.histogram import Histogram
from spiritlm_cli.inspection.inspected import Inspected
from spiritlm_cli.inspection.streams import StreamStatistics
from spiritlm_cli.tokens.sequence import Modality, SpeechSpan, TextSpan, modality
from spiritlm_cli.tokens.timeline import HUBERT_RATE
from spiritlm_cli.tokens.units import Kind


@dataclass(frozen=True)
class SpanMeasures:
    """One span of an input.

    start, end: seconds in the speech of the input; a text span takes no time. units: as written, by stream. text: of a
    text span. words: of the text, or of the words of the clip that are centered in a speech span; None if unknown.
    """

    modality: Modality
    start: float
    end: float
    units: Mapping[Kind, int]
    text: str = ""
    words: int | None = None


def measure_spans(inspected: Inspected) -> list[SpanMeasures]:
    """Return the measures of each span of a sequence."""
    marks = iter(inspected.timeline.texts)
    next_mark = next(marks, None)
    measured: list[SpanMeasures] = []
    start = 0.0
    for span in inspected.sequence.spans:
        if isinstance(span, TextSpan):
            words = len(span.text.split())
            measured.append(SpanMeasures("text", start, start, {}, span.text, words))
            next_mark = next(marks, None)
            continue
        end = next_mark.seconds if next_mark else inspected.timeline.seconds
        spoken = sum(start <= (word.start + word.end) / 2 < end for word in inspected.words)
        units = Counter(unit.kind for unit in span.units)
        measured.append(SpanMeasures("speech", start, end, units, words=spoken if inspected.words else None))
        start = end
    return measured


class UnitStatistics:
    """Statistics of any number of inputs, in memory that does not grow with their number.

    inputs: how many. predicted: of how many of them the durations are predicted. seconds: of their speech. streams:
    those that occur. modalities: number of inputs by the modalities of their spans, sorted and joined by `+` (`speech`,
    `text`, `speech+text`; "" for empty ones). spans: number by modality. switches: from one span to the next.
    units_per_input: as written, of all streams together.
    """

    def __init__(self, codebooks: Codebooks = NO_CODEBOOKS) -> None:
        """codebooks: number of units of each stream of the model, where it is known."""
        self.codebooks = codebooks
        self.inputs = 0
        self.predicted = 0
        self.seconds = 0.0
        self.streams: dict[Kind, StreamStatistics] = {}
        self.modalities: Counter[str] = Counter()
        self.spans: Counter[Modality] = Counter()
        self.switches = 0
        self.characters = 0
        self.words = 0
        self.units_per_input = Histogram()
        self.seconds_per_input = Histogram()
        self._frames = 0
        self._silent_frames = 0

    @classmethod
    def of(cls, inspected: Inspected, codebooks: Codebooks = NO_CODEBOOKS) -> "UnitStatistics":
        """The statistics of one input."""
        statistics = cls(codebooks)
        statistics.add(inspected)
        return statistics

    @property
    def silence(self) -> float | None:
        """Share of frames of 40 ms that are silent (`silent_frames`), in the clips; None for token lines only."""
        return self._silent_frames / self._frames if self._frames else None

    @property
    def fixed_length_bitrate(self) -> float:
        """Bits per second of all streams; see `StreamStatistics.fixed_length_bitrate`."""
        return sum(stream.fixed_length_bitrate or 0.0 for stream in self.streams.values())

    @property
    def entropy_bitrate(self) -> float:
        """Bits per second of all streams; see `StreamStatistics.entropy_bitrate`."""
        return sum(stream.entropy_bitrate or 0.0 for stream in self.streams.values())

    def add(self, inspected: Inspected) -> None:
        """Count an input."""
        timeline = inspected.timeline
        self.inputs += 1
        self.predicted += timeline.predicted and timeline.seconds > 0
        self.seconds += timeline.seconds
        self._add_spans(inspected)
        for lane in timeline.lanes:
            if len(lane):
                self._stream(lane.kind).add(lane, timeline.seconds, inspected.id)
        self.seconds_per_input.add([timeline.seconds])
        if inspected.original:
            silent = silent_frames(inspected.original.waveform, 1 / HUBERT_RATE)
            self._frames += len(silent)
            self._silent_frames += int(np.count_nonzero(silent))

    def _add_spans(self, inspected: Inspected) -> None:
        spans = inspected.sequence.spans
        self.modalities["+".join(sorted({modality(span) for span in spans}))] += 1
        self.spans.update(map(modality, spans))
        self.switches += max(len(spans) - 1, 0)
        units = 0
        for span in spans:
            if isinstance(span, TextSpan):
                self.characters += len(span.text)
                self.words += len(span.text.split())
            else:
                units += len(span.units)
                self._add_speech(span)
        self.units_per_input.add([units])

    def _add_speech(self, span: SpeechSpan) -> None:
        ids: dict[Kind, list[int]] = {kind: [] for kind in Kind}
        for unit in span.units:
            ids[unit.kind].append(unit.id)
        for kind, values in ids.items():
            if values:
                self._stream(kind).add_span(np.array(values, dtype=np.int64))

    def _stream(self, kind: Kind) -> StreamStatistics:
        if kind not in self.streams:
            self.streams[kind] = StreamStatistics(kind, self.codebooks.get(kind))
            self.streams = {kind: self.streams[kind] for kind in Kind if kind in self.streams}
        return self.streams[kind]

    def summary(self) -> dict[str, Any]:
        """Return the figures of the table as an object for `json.dumps`."""
        return {
            **self._totals(),
            "streams": {kind.value: stream.summary() for kind, stream in self.streams.items()},
        }

    def to_json(self) -> dict[str, Any]:
        """Return all statistics as an object for `json.dumps`."""
        return {
            "inputs": self.inputs,
            "inputs_with_predicted_durations": self.predicted,
            "inputs_by_modality": {name or "empty": count for name, count in sorted(self.modalities.items())},
            **self._totals(),
            "units_per_input": self.units_per_input.to_json(),
            "seconds_per_input": self.seconds_per_input.to_json(),
            "streams": {kind.value: stream.to_json() for kind, stream in self.streams.items()},
        }

    def _totals(self) -> dict[str, Any]:
        return {
            "seconds": round(self.seconds, 3),
            "silent_share": self.silence,
            "speech_spans": self.spans["speech"],
            "text_spans": self.spans["text"],
            "switches": self.switches,
            "characters": self.characters,
            "words": self.words,
            "fixed_length_bits_per_second": self.fixed_length_bitrate,
            "entropy_bits_per_second": self.entropy_bitrate,
        }
