"""A line of units as windows of frames, also while it grows: each as soon as nothing to come can change its sound."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from spiritlm_cli.errors import TokenError
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.timeline import RepeatDetector, frame_units
from spiritlm_cli.tokens.units import IntArray, Kind, Unit
from spiritlm_cli.vocoder.hifigan import HifiGanConfig

if TYPE_CHECKING:
    from spiritlm_cli.vocoder.vocoder import Vocoder

Durations = Literal["auto", "predict", "keep"]

# Frames that a window of a growing line has at least, half a second: the first sound comes early, and what the
# network hears around a window (17 frames to either side in nano) is not computed for every unit that comes.
_LEAST = 12


@dataclass(frozen=True, eq=False)
class Window:
    """A stretch of a line as the network hears it, with what comes before and after it as far as it matters.

    streams: (1, frames) of phonetic units, or (3, frames) of phonetic, pitch and style units, 25 a second; voice and
    style: numbers, the style of a base vocoder. Of the sound, `kept` frames after the first `skipped` are the
    stretch's.
    """

    streams: IntArray
    voice: int
    style: int
    skipped: int
    kept: int


class WindowBuilder:
    """The windows of a line that may still grow.

    A frame is certain when its unit's pitch, style and duration are: the units before the first pitch (style) take
    that one, and a duration depends on `Timing.reach` units to either side. A window is certain when all of the
    frames that the network hears with it are.
    """

    def __init__(
        self,
        vocoder: "Vocoder",
        voice: int,
        style: int | str | None,
        durations: Durations,
        window: int,
        after: Sequence | SpeechSpan | None = None,
    ) -> None:
        """The arguments are those of `Vocoder.windows`. Raises SpiritLMError where there is no such style."""
        self._config, self._timing = vocoder.config, vocoder.timing
        self._margin = vocoder.network.context
        self._default_style = vocoder.default_style
        self._voice, self._style = voice, vocoder.find_style(style)
        self._throughout = style is not None
        self._window = window
        self._follows = after is not None
        # units of which frames have not been made, after the pitch and style that hold before them; and their kinds
        self._units: list[Unit] = []
        self._kinds: set[Kind] = set()
        before = _last_speech(after)
        self._unheard = self._take(before)  # phonetic units before the first that is heard
        self._heard = 0
        self._repeats, self._repeats_before = RepeatDetector(), RepeatDetector()
        self._repeats_before.add(before)
        self._keep = None if durations == "auto" else durations == "keep"
        rows = 3 if self._config.expressive else 1
        # phonetic units with their pitch and style that have not been timed, after `_timed` that have been
        self._columns: IntArray = np.empty((rows, 0), dtype=np.int64)
        self._timed = 0
        # frames, from the first that the next window hears; `_start` is the first that is its own
        self._frames: IntArray = np.empty((rows, 0), dtype=np.int64)
        self._start = 0

    def add(self, speech: Sequence | SpeechSpan) -> None:
        """What comes next; of a sequence, its text is passed over. Raises TokenError for a unit of another model."""
        for span in speech.spans if isinstance(speech, Sequence) else (speech,):
            self._repeats.add(span)
            if not isinstance(span, TextSpan):
                self._heard += self._take(span)

    def certain(self) -> Iterator[Window]:
        """What nothing to come can change, once there is half a second of it."""
        return self._windows(ended=False)

    def finish(self) -> Iterator[Window]:
        """The rest, when nothing comes any more.

        Raises TokenError where there is no speech at all, or pitch is missing.
        """
        if not self._heard:
            where = "in what follows the prompt" if self._follows else "to decode"
            raise TokenError(
                f"no speech {where}: no [Hu…] units; if a model ended at once, try another --seed"
            )
        return self._windows(ended=True)

    def _take(self, span: SpeechSpan) -> int:
        """Returns how many phonetic units there are in it."""
        check_units(span.units, self._config)
        self._units.extend(span.units)
        kinds = [unit.kind for unit in span.units]
        self._kinds.update(kinds)
        return kinds.count(Kind.HUBERT)

    def _windows(self, ended: bool) -> Iterator[Window]:
        self._fill(ended)
        self._time(ended)
        while True:
            known = self._frames.shape[1] - self._start
            ready = known if ended else known - self._margin
            if ready < (1 if ended else min(_LEAST, self._window)):
                return
            size = min(ready, self._window)
            stop = self._start + size
            first = max(self._start - self._margin, 0)
            yield Window(
                self._frames[:, first : stop + self._margin],
                self._voice,
                self._style,
                self._start - first,
                size,
            )
            passed = max(stop - self._margin, 0)
            self._frames, self._start = self._frames[:, passed:], stop - passed

    def _fill(self, ended: bool) -> None:
        """Give each phonetic unit its pitch and style."""
        needed = {Kind.HUBERT}
        if self._config.expressive and not ended:
            needed |= {Kind.PITCH} if self._throughout else {Kind.PITCH, Kind.STYLE}
        if not needed <= self._kinds:
            return
        frames = frame_units(self._units, self._default_style)
        if self._config.expressive and frames.pitch is None:
            raise TokenError("no pitch: the expressive vocoder needs [Pi…] units, the base vocoder does not")
        if self._throughout:
            frames = replace(frames, style=np.full_like(frames.hubert, self._style))
        streams = [ids for ids in (frames.hubert, frames.pitch, frames.style) if ids is not None]
        self._columns = np.concatenate([self._columns, np.stack(streams[: len(self._columns)])], axis=1)
        last = {unit.kind: unit for unit in self._units if unit.kind is not Kind.HUBERT}
        self._units, self._kinds = list(last.values()), set(last)

    def _time(self, ended: bool) -> None:
        """Make each unit as many frames as it lasts."""
        reach = self._timing.reach
        fresh = self._columns.shape[1] - self._timed
        if self._keep is None and (ended or self._repeats.is_decided):
            # what is heard says it, or, where that is too short to, together with what it follows
            before = 0 if self._repeats.is_decided else self._repeats_before.margin
            self._keep = self._repeats.margin + before > 0
        if self._keep is None or fresh <= (0 if ended or self._keep else reach):
            return
        if self._keep:
            counts = np.ones(fresh, dtype=np.int64)
        else:
            counts = self._timing.frames(torch.from_numpy(self._columns[0])).numpy()[self._timed :]
            counts = counts if ended else counts[:-reach] if reach else counts
        done = self._timed + len(counts)
        made = self._columns[:, self._timed : done].repeat(counts, axis=1)
        self._frames = np.concatenate([self._frames, made], axis=1)
        unheard = min(self._unheard, len(counts))
        self._unheard -= unheard
        self._start += int(counts[:unheard].sum())
        passed = max(done - reach, 0)
        self._columns, self._timed = self._columns[:, passed:], done - passed


def check_units(units: Iterable[Unit], config: HifiGanConfig) -> None:
    """Raises TokenError where a unit is not one of the model's; a base vocoder passes over pitch and style."""
    counts = {Kind.HUBERT: config.num_embeddings}
    if config.expressive:
        counts |= {Kind.PITCH: config.num_f0_tokens, Kind.STYLE: config.num_style_tokens}
    for unit in units:
        if unit.kind in counts and unit.id >= counts[unit.kind]:
            last = Unit(unit.kind, counts[unit.kind] - 1)
            raise TokenError(
                f"{unit} is not a unit of this vocoder, which has {Unit(unit.kind, 0)} to {last}"
            )


def _last_speech(after: Sequence | SpeechSpan | None) -> SpeechSpan:
    """The speech that a sequence ends in, which may be none."""
    if isinstance(after, Sequence):
        span = after.spans[-1] if after.spans else None
        return span if isinstance(span, SpeechSpan) else SpeechSpan(())
    return after or SpeechSpan(())
