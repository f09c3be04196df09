"""What is known about one input of `inspect`: its tokens and their times, and where asked for, sounds, F0 and words."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from spiritlm_cli.inspection.timeline import Timeline
from spiritlm_cli.manifests.clip import FloatArray, Waveform, Word
from spiritlm_cli.speech.f0 import F0Track
from spiritlm_cli.speech.pitch import PitchVqVae
from spiritlm_cli.tokens.sequence import Sequence
from spiritlm_cli.tokens.timeline import PITCH_RATE
from spiritlm_cli.tokens.units import IntArray, Kind

# F0 frames per second.
F0_RATE = 200.0


@dataclass(frozen=True, eq=False)
class Sound:
    """A waveform at 16 kHz, and its F0 at 200 Hz; None if it was not tracked."""

    waveform: Waveform
    f0: F0Track | None = None


@dataclass(frozen=True, eq=False)
class RebuiltF0:
    """F0 that pitch units stand for.

    f0: (frames,) float32 Hz at 200 Hz, NaN where the units stand for unvoiced speech. is_relative: whether it is
    relative to the mean of the original, which is unknown.
    """

    f0: FloatArray
    is_relative: bool = False


@dataclass(frozen=True, eq=False)
class Inspected:
    """One clip or token line.

    id: of the clip or line, or its index from 1. source: the file. sequence: the tokens, as `tokenize` writes them, or
    as the line has them. original: what the tokenizer read, None for a token line. resynthesis: what the vocoder makes
    of the units; of a clip with the durations of the original, and of a line with those of `timeline`. rebuilt_f0: see
    `rebuild_f0`. words: with times in the original, empty if unknown. text: the transcript, if known. model: name of
    the checkpoint. The resynthesis and all F0 are None unless sounds are asked for.
    """

    id: str
    source: str
    sequence: Sequence
    timeline: Timeline
    original: Sound | None = None
    resynthesis: Sound | None = None
    rebuilt_f0: RebuiltF0 | None = None
    words: tuple[Word, ...] = ()
    text: str | None = None
    model: str | None = None

    @property
    def seconds(self) -> float:
        """Duration of the original, or else of the speech of the sequence."""
        return self.original.waveform.seconds if self.original else self.timeline.seconds


@torch.inference_mode()
def rebuild_f0(timeline: Timeline, model: PitchVqVae, reference: F0Track | None) -> RebuiltF0 | None:
    """Decode the pitch units of a timeline to F0.

    model: the VQ-VAE of the checkpoint. reference: F0 of the original, None if it is unknown. Where the model encodes
    F0 relative to the mean of a clip, the mean of the reference is added; if it has none, the result is relative.
    Returns None without pitch units.
    """
    lane = timeline.lane(Kind.PITCH)
    if lane is None or not len(lane):
        return None
    units: IntArray = lane.sample(PITCH_RATE, timeline.seconds)
    if not len(units):
        return None
    f0, voicing = model.decode(torch.from_numpy(units)[None])[0].numpy()
    is_relative = model.config.relative
    if is_relative and reference is not None and reference.voiced.any():
        f0 = f0 + reference.f0[reference.voiced].mean()
        is_relative = False
    rebuilt: NDArray[np.float32] = np.where(voicing > 0.5, f0, np.float32(np.nan))
    return RebuiltF0(rebuilt, is_relative)
