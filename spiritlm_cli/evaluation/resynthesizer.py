"""Clips after tokenizing and decoding, in batches."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np

from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.batching import Outcome
from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.evaluation.resynthesis import Speech
from spiritlm_cli.manifests.clip import Clip, Waveform
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.sequence import Sequence as TokenSequence
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.tokens.units import Units
from spiritlm_cli.vocoder.vocoder import Vocoder
from spiritlm_cli.vocoder.windows import Durations


@dataclass(frozen=True)
class _Synthesis:
    """What to synthesize of a clip. units: or the error in their place. timed: with the timing of the clip."""

    clip: Clip
    units: Units | SpiritLMError
    timed: bool


@dataclass(frozen=True)
class Resynthesizer:
    """Clip → units → vocoder.

    speaker: name or index of a vocoder voice; None: the model's default; "same": the voice with the name of the clip's
    speaker, or the default if the vocoder has none of that name. timed: also synthesize with the timing of the clips.
    """

    tokenizer: SpeechTokenizer
    vocoder: Vocoder
    speaker: str | None = None
    timed: bool = True

    @classmethod
    def load(
        cls,
        model: str | Checkpoint | None = "nano",
        *,
        expressive: bool = True,
        device: str = "auto",
        speaker: str | None = None,
        timed: bool = True,
    ) -> "Resynthesizer":
        """Load the tokenizer and the vocoder of a checkpoint: see `find_checkpoint`. Raises CheckpointError."""
        return cls(
            SpeechTokenizer.load(model, expressive=expressive, device=device),
            Vocoder.load(model, expressive=expressive, device=device),
            speaker,
            timed,
        )

    def __call__(self, clips: Iterable[Clip]) -> Iterator[tuple[Clip, Outcome[Speech]]]:
        """Resynthesize clips in batches. Yields (clip, outcome) in order."""
        stream = self.vocoder.synthesize_stream(self._syntheses(clips), self._windows)
        spoken = ((synthesis, self._join(windows)) for synthesis, windows in stream)
        for clip, group in groupby(spoken, lambda pair: pair[0].clip):
            yield clip, Outcome.of(partial(self._speech, clip, list(group)))

    def voice(self, clip: Clip) -> str | None:
        """The vocoder's voice for a clip; None: the default."""
        if self.speaker != "same":
            return self.speaker
        return clip.speaker if clip.speaker in self.vocoder.voices.speakers else None

    def _syntheses(self, clips: Iterable[Clip]) -> Iterator[_Synthesis]:
        for clip, outcome in self.tokenizer.encode_stream(clips):
            assert isinstance(clip, Clip)
            units: Units | SpiritLMError
            try:
                units = outcome.result()
            except SpiritLMError as error:
                units = error
            yield _Synthesis(clip, units, timed=False)
            if self.timed:
                yield _Synthesis(clip, units, timed=True)

    def _windows(self, synthesis: _Synthesis) -> list[Any]:
        if isinstance(synthesis.units, SpiritLMError):
            raise synthesis.units
        speech = TokenSequence.of([merge_streams(synthesis.units, keep_repeats=synthesis.timed)])
        durations: Durations = "keep" if synthesis.timed else "auto"
        return list(self.vocoder.split_windows(speech, self.voice(synthesis.clip), durations=durations))

    def _join(self, windows: Outcome[Waveform]) -> Waveform | SpiritLMError:
        try:
            return Waveform(np.concatenate([window.samples for window in windows]), self.vocoder.rate)
        except SpiritLMError as error:
            return error

    def _speech(self, clip: Clip, spoken: Sequence[tuple[_Synthesis, Waveform | SpiritLMError]]) -> Speech:
        waveforms: list[Waveform] = []
        for _, waveform in spoken:
            if isinstance(waveform, SpiritLMError):
                raise waveform
            waveforms.append(waveform)
        units = spoken[0][0].units
        assert isinstance(units, Units)
        timed = waveforms[1] if self.timed else None
        return Speech(read_clip(clip), waveforms[0], timed, units, self.voice(clip))
