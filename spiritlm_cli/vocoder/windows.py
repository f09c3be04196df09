"""Splitting a sequence of units into windows of frames, also while the sequence is being generated."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch

from spiritlm_cli.errors import TokenError
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.timeline import RepeatDetector, frame_units
from spiritlm_cli.tokens.units import IntArray, Kind, Unit
from spiritlm_cli.vocoder.config import HifiGanConfig
from spiritlm_cli.vocoder.durations import DurationPredictor
from spiritlm_cli.vocoder.voices import Voice

Durations = Literal["auto", "predict", "keep"]

# Fewest frames in a window of an unfinished sequence: half a second. Small enough that audio starts early; large enough
# that the context around a window (17 frames to either side in nano) is not computed again for every new unit.
_MIN_FRAMES = 12


@dataclass(frozen=True, eq=False)
class Window:
    """Frames of a sequence that are synthesized together.

    streams: (1, frames) phonetic units, or (3, frames) phonetic, pitch and style units, int64, 25 frames per second,
    with the context that the network needs on either side. Of the audio, `keep_frames` frames after the first
    `skip_frames` belong to the window.
    """

    streams: IntArray
    voice: Voice
    skip_frames: int
    keep_frames: int


class WindowBuilder:
    """Builds the windows of a sequence whose units may still be arriving.

    A frame is final once no later unit can change its pitch, style or duration: units before the first pitch (style)
    unit use that one, and a duration depends on `DurationPredictor.reach` units to either side. A window is ready once
    all of its frames, with their context, are final.
    """

    def __init__(
        self,
        config: HifiGanConfig,
        predictor: DurationPredictor,
        context: int,
        voice: Voice,
        durations: Durations,
        window: int,
        prompt: Sequence | SpeechSpan | None = None,
    ) -> None:
        """context: frames to either side that the network needs. Other arguments: see `Vocoder.split_windows`.

        Raises TokenError if the prompt has a unit that is not one of the vocoder's.
        """
        self._config, self._predictor = config, predictor
        self._context, self._window, self._voice = context, window, voice
        self._has_prompt = prompt is not None
        # Units that have no column yet, after the pitch and style units that hold before them; and their kinds.
        self._units: list[Unit] = []
        self._kinds: set[Kind] = set()
        prompt_span = _last_speech(prompt)
        # Phonetic units of the prompt that have no frames yet, and of the sequence all that were added.
        self._prompt_units = self._append(prompt_span)
        self._sequence_units = 0
        self._repeats, self._prompt_repeats = RepeatDetector(), RepeatDetector()
        self._prompt_repeats.add(prompt_span)
        self._keep = None if durations == "auto" else durations == "keep"
        # One column per phonetic unit: its id, pitch and style. The first `_timed_units` have frames already, and are
        # the context of the durations after them.
        rows = 3 if config.expressive else 1
        self._columns: IntArray = np.empty((rows, 0), dtype=np.int64)
        self._timed_units = 0
        # Final frames that are not in a window yet, after `_start` frames of context.
        self._frames: IntArray = np.empty((rows, 0), dtype=np.int64)
        self._start = 0

    def add(self, speech: Sequence | SpeechSpan) -> None:
        """Append units; text spans of a sequence are ignored.

        Raises TokenError for a unit that is not one of the vocoder's.
        """
        for span in speech.spans if isinstance(speech, Sequence) else (speech,):
            self._repeats.add(span)
            if not isinstance(span, TextSpan):
                self._sequence_units += self._append(span)

    def ready(self) -> Iterator[Window]:
        """Yield windows that no later unit can change, once they have half a second of audio or more.

        Raises TokenError as `flush`.
        """
        return self._windows(ended=False)

    def flush(self) -> Iterator[Window]:
        """Yield the remaining windows of a sequence that has ended.

        Raises TokenError if the sequence has no phonetic units, or if an expressive vocoder gets no pitch units.
        """
        if not self._sequence_units:
            where = "in what follows the prompt" if self._has_prompt else "to decode"
            raise TokenError(
                f"no speech {where}: no [Hu…] units; if a model ended at once, `generate --min-seconds 1` makes it "
                "go on"
            )
        return self._windows(ended=True)

    def _append(self, span: SpeechSpan) -> int:
        """Append the units of a span and return how many of them are phonetic."""
        check_units(span.units, self._config)
        self._units.extend(span.units)
        kinds = [unit.kind for unit in span.units]
        self._kinds.update(kinds)
        return kinds.count(Kind.HUBERT)

    def _windows(self, ended: bool) -> Iterator[Window]:
        self._append_columns(ended)
        self._append_frames(ended)
        while True:
            known = self._frames.shape[1] - self._start
            final = known if ended else known - self._context
            if final < (1 if ended else min(_MIN_FRAMES, self._window)):
                return
            size = min(final, self._window)
            stop = self._start + size
            first = max(self._start - self._context, 0)
            streams = self._frames[:, first : stop + self._context]
            yield Window(streams, self._voice, skip_frames=self._start - first, keep_frames=size)
            unneeded = max(stop - self._context, 0)
            self._frames, self._start = self._frames[:, unneeded:], stop - unneeded

    def _append_columns(self, ended: bool) -> None:
        """Give each phonetic unit its pitch and style, once the first unit of each kind has arrived."""
        needed = {Kind.HUBERT}
        if self._config.expressive and not ended:
            needed |= {Kind.PITCH} if self._voice.override_style else {Kind.PITCH, Kind.STYLE}
        if not needed <= self._kinds:
            return
        frames = frame_units(self._units, self._voice.style)
        if self._config.expressive and frames.pitch is None:
            raise TokenError(
                "no pitch: the expressive vocoder needs [Pi…] units; give --model the checkpoint that the tokens are "
                "of, or --units base for its vocoder of phonetic units alone; if a model ended at once, `generate "
                "--min-seconds 1` makes it go on"
            )
        if self._voice.override_style:
            frames = replace(frames, style=np.full_like(frames.hubert, self._voice.style))
        streams = [ids for ids in (frames.hubert, frames.pitch, frames.style) if ids is not None]
        self._columns = np.concatenate([self._columns, np.stack(streams[: len(self._columns)])], axis=1)
        last = {unit.kind: unit for unit in self._units if unit.kind is not Kind.HUBERT}
        self._units, self._kinds = list(last.values()), set(last)

    def _append_frames(self, ended: bool) -> None:
        """Repeat each column for the duration of its unit, once that is final."""
        reach = self._predictor.reach
        untimed = self._columns.shape[1] - self._timed_units
        if self._keep is None and (ended or self._repeats.is_decided):
            # The sequence decides; one that is too short to decide does so together with its prompt.
            prompt_margin = 0 if self._repeats.is_decided else self._prompt_repeats.margin
            self._keep = self._repeats.margin + prompt_margin > 0
        if self._keep is None or untimed <= (0 if ended or self._keep else reach):
            return
        if self._keep:
            counts = np.ones(untimed, dtype=np.int64)
        else:
            counts = self._predictor.frames(torch.from_numpy(self._columns[0])).numpy()[self._timed_units :]
            counts = counts if ended else counts[:-reach] if reach else counts
        timed = self._timed_units + len(counts)
        frames = self._columns[:, self._timed_units : timed].repeat(counts, axis=1)
        self._frames = np.concatenate([self._frames, frames], axis=1)
        prompt_units = min(self._prompt_units, len(counts))
        self._prompt_units -= prompt_units
        self._start += int(counts[:prompt_units].sum())
        unneeded = max(timed - reach, 0)
        self._columns, self._timed_units = self._columns[:, unneeded:], timed - unneeded


def check_units(units: Iterable[Unit], config: HifiGanConfig) -> None:
    """Raise TokenError for a unit that is not one of the vocoder's; a base vocoder ignores pitch and style units."""
    counts = {Kind.HUBERT: config.num_embeddings}
    if config.expressive:
        counts |= {Kind.PITCH: config.num_f0_tokens, Kind.STYLE: config.num_style_tokens}
    for unit in units:
        if unit.kind in counts and unit.id >= counts[unit.kind]:
            last = Unit(unit.kind, counts[unit.kind] - 1)
            raise TokenError(
                f"{unit} is not a unit of this vocoder, which has {Unit(unit.kind, 0)} to {last}"
            )


def _last_speech(speech: Sequence | SpeechSpan | None) -> SpeechSpan:
    """Return the speech span that a sequence ends in, empty if it ends in text."""
    if isinstance(speech, Sequence):
        span = speech.spans[-1] if speech.spans else None
        return span if isinstance(span, SpeechSpan) else SpeechSpan(())
    return speech or SpeechSpan(())
