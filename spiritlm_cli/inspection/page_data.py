"""What the page holds of one input, as JSON: the clip with its tokens and F0, and its sounds.

`assets/inspect/clips.js` reads it.
"""

import base64
import io
import json
from typing import Any

import numpy as np

from spiritlm_cli.audio.writing import write_audio
from spiritlm_cli.inspection.inspected import F0_RATE, Inspected, Sound
from spiritlm_cli.inspection.timeline import RATES, Lane, Timeline
from spiritlm_cli.manifests.clip import FloatArray, Waveform
from spiritlm_cli.speech.f0 import F0Track
from spiritlm_cli.tokens.sequence import Sequence, TextSpan
from spiritlm_cli.tokens.units import Unit
from spiritlm_cli.tokens.writer import format_sequence

# Decimal places of times: a tenth of a millisecond.
_PLACES = 4


def clip_to_json(inspected: Inspected) -> dict[str, Any]:
    """Everything of an input but its sounds.

    Raises TokenError for a sequence that a token line can't represent.
    """
    timeline, rebuilt = inspected.timeline, inspected.rebuilt_f0
    return {
        "id": inspected.id,
        "source": inspected.source,
        "text": inspected.text,
        "seconds": _seconds(max(inspected.seconds, timeline.seconds)),
        "speech_seconds": _seconds(timeline.seconds),
        "predicted": timeline.predicted,
        "lanes": lanes_to_json(timeline),
        "texts": [{"text": mark.text, "seconds": _seconds(mark.seconds)} for mark in timeline.texts],
        "words": [
            {"word": word.word, "start": _seconds(word.start), "end": _seconds(word.end)}
            for word in inspected.words
        ],
        "spans": _spans(inspected.sequence, timeline),
        "f0_rate": F0_RATE,
        "f0": {
            "original": _track(inspected.original),
            "rebuilt": None if rebuilt is None else _f0(rebuilt.f0),
            "resynthesis": _track(inspected.resynthesis),
        },
        "rebuilt_is_relative": rebuilt is not None and rebuilt.is_relative,
        "sounds": {
            name: {"seconds": sound.waveform.seconds, "rate": sound.waveform.rate}
            for name, sound in _sounds(inspected).items()
        },
    }


def lanes_to_json(timeline: Timeline) -> list[dict[str, Any]]:
    """The runs of each stream, with their times."""
    return [_lane(lane) for lane in timeline.lanes]


def sounds_to_json(inspected: Inspected) -> dict[str, str]:
    """The sounds of an input: "original", "resynthesis" or both, each a FLAC file in base64."""
    return {name: _flac(sound.waveform) for name, sound in _sounds(inspected).items()}


def script_json(value: object) -> str:
    """JSON that can stand in a script element, whatever the strings in it are."""
    content = json.dumps(value, separators=(",", ":"), allow_nan=False)
    # Escapes `</script` and `<!--`, the only sequences that end or change a script element.
    return content.replace("<", "\\u003c")


def _sounds(inspected: Inspected) -> dict[str, Sound]:
    sounds = {"original": inspected.original, "resynthesis": inspected.resynthesis}
    return {
        name: sound for name, sound in sounds.items() if sound is not None and len(sound.waveform.samples)
    }


def _seconds(value: float) -> float:
    return round(float(value), _PLACES)


def _lane(lane: Lane) -> dict[str, Any]:
    return {
        "kind": lane.kind.value,
        "ids": lane.ids.tolist(),
        "starts": np.round(lane.starts, _PLACES).tolist(),
        "ends": np.round(lane.ends, _PLACES).tolist(),
        "counts": lane.counts.tolist(),
    }


def _track(sound: Sound | None) -> list[int | None] | None:
    track: F0Track | None = sound.f0 if sound else None
    return None if track is None else _f0(np.where(track.voiced, track.f0, np.float32(np.nan)))


def _f0(frames: FloatArray) -> list[int | None]:
    """F0 in whole Hz, None where unvoiced."""
    return [round(f0) if np.isfinite(f0) else None for f0 in frames.tolist()]


def _flac(waveform: Waveform) -> str:
    encoded = io.BytesIO()
    write_audio(encoded, waveform, format="FLAC")
    return base64.b64encode(encoded.getvalue()).decode("ascii")


def _spans(sequence: Sequence, timeline: Timeline) -> list[dict[str, Any]]:
    """The spans of a token line: text as it is written there, or tokens, each [lane, run, start, end]."""
    finders = {lane.kind: _RunFinder(index, lane) for index, lane in enumerate(timeline.lanes)}
    # When a token starts is known when all tokens of its run are found.
    found = [
        [(finders[unit.kind], *finders[unit.kind].next(unit)) for unit in span.units]
        for span in sequence.speech
    ]
    tokens = iter([[finder.token(run, place) for finder, run, place in span] for span in found])
    return [
        {"text": _written(span)} if isinstance(span, TextSpan) else {"tokens": next(tokens)}
        for span in sequence.spans
    ]


def _written(span: TextSpan) -> str:
    return format_sequence(Sequence((span,))).removeprefix("[TEXT]")


class _RunFinder:
    """Finds the run of each token of a stream, which are given in order.

    A run has one token if repeats were merged in the line, and otherwise one for each of its units.
    """

    def __init__(self, index: int, lane: Lane) -> None:
        self._index = index
        self._lane = lane
        self._run = -1
        self._tokens = np.zeros(len(lane), dtype=np.int64)

    def next(self, unit: Unit) -> tuple[int, int]:
        """The index of the run of the next token, and the token's place in it."""
        lane, run = self._lane, self._run
        if run < 0 or lane.ids[run] != unit.id or self._tokens[run] == lane.counts[run]:
            run = self._run = run + 1
        place = int(self._tokens[run])
        self._tokens[run] += 1
        return run, place

    def token(self, run: int, place: int) -> list[int | float]:
        """The index of the lane, that of the run, and the start and end of a token: those of the run if it is alone."""
        start, end = float(self._lane.starts[run]), float(self._lane.ends[run])
        tokens = int(self._tokens[run])
        # The units of a clip have the rate of the stream, of which the last may be cut off by the end of the clip.
        unit = 1 / RATES[self._lane.kind]
        if (tokens - 1) * unit >= end - start:
            unit = (end - start) / tokens
        first = start + place * unit
        last = end if place == tokens - 1 else first + unit
        return [self._index, run, _seconds(first), _seconds(last)]
