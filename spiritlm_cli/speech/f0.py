"""The fundamental frequency of a voice, 200 times a second: FCPE, or pYAAPT."""

import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from spiritlm_cli.audio.clip import FloatArray

RATE = 16000
HOP = 80
# Longer clips are tracked in pieces, so that memory does not grow with them.
PIECE = 100 * RATE
# The trackers need some sound: a last piece that is no longer than this is tracked with the one before.
SHORTEST = 1280

Method = Literal["fcpe", "pyaapt"]


@dataclass(frozen=True, eq=False)
class F0Track:
    """A frame for every 80 samples at 16 kHz.

    f0: (frames,) float32 Hz, interpolated where there is no voice, 0 throughout if there is none at all.
    voiced: (frames,) bool.
    """

    f0: FloatArray
    voiced: NDArray[np.bool_]


class F0Tracker(ABC):
    """Samples to F0.

    hop: samples from frame to frame of `voiced_f0`; highest: Hz, the most that F0 can be.
    """

    hop: int
    highest: float = np.inf

    @abstractmethod
    def voiced_f0(self, samples: FloatArray) -> FloatArray:
        """samples: (samples,) at 16 kHz. Returns (frames,) Hz, 0 where there is no voice."""

    def __call__(self, samples: FloatArray) -> F0Track:
        """samples: (samples,) float32 at 16 kHz, at least 1280. Returns a frame for every 80 samples."""
        starts = range(0, max(1, len(samples) - SHORTEST), PIECE)
        parts = []
        for start in starts[:-1]:
            # the frame at the end of a piece is the first of the next
            parts.append(self.voiced_f0(samples[start : start + PIECE])[: PIECE // self.hop])
        parts.append(self.voiced_f0(samples[starts[-1] :]))
        f0 = np.concatenate(parts).astype(np.float32)
        voiced = f0 > 0
        f0 = np.minimum(interpolate(f0, voiced), np.float32(self.highest))
        if self.hop == HOP:
            return F0Track(f0, voiced)
        both = torch.from_numpy(np.stack([f0, voiced.astype(np.float32)]))
        both = F.interpolate(both[None], size=len(samples) // HOP + 1, mode="nearest")[0]
        return F0Track(both[0].numpy(), both[1].numpy() > 0)


class FcpeTracker(F0Tracker):
    """FCPE (Luo et al. 2025, arXiv 2509.15140) as torchfcpe has it."""

    hop = 160
    threshold = 0.05
    lowest = 50.0
    highest = 1100.0

    def __init__(self, device: torch.device | str = "cpu") -> None:
        from spiritlm_cli.speech.fcpe import load_fcpe

        self.device = torch.device(device)
        self.network = load_fcpe(str(device))

    def voiced_f0(self, samples: FloatArray) -> FloatArray:
        waveform = torch.tensor(samples, device=self.device)[None, :, None]
        found: Tensor = self.network(waveform, RATE, decoder_mode="local_argmax", threshold=self.threshold)
        f0: FloatArray = found[0, :, 0].cpu().numpy()
        f0[f0 < self.lowest] = 0
        return f0


class YaaptTracker(F0Tracker):
    """YAAPT (Zahorian and Hu 2008, doi 10.1121/1.2916590), from AMFM_decompy, set as in the release."""

    hop = HOP
    frame_milliseconds = 20.0
    time_frame_milliseconds = 25.0
    nccf_threshold = 0.25
    peak = 0.95

    def voiced_f0(self, samples: FloatArray) -> FloatArray:
        from amfm_decompy import basic_tools, pYAAPT

        loudest = float(np.abs(samples).max())
        if loudest == 0:
            # The tracker divides by the energy.
            return np.zeros(-(-len(samples) // HOP), np.float32)
        margin = int(self.frame_milliseconds / 2 * RATE / 1000)
        padded = np.pad(samples.astype(np.float64) * (self.peak / loudest), margin)
        with warnings.catch_warnings():
            # It warns of means of nothing where it hears no voice, and comes out right.
            warnings.simplefilter("ignore")
            track = pYAAPT.yaapt(
                basic_tools.SignalObj(padded, RATE),
                frame_length=self.frame_milliseconds,
                frame_space=1000 * HOP / RATE,
                tda_frame_length=self.time_frame_milliseconds,
                nccf_thresh1=self.nccf_threshold,
            )
        f0: FloatArray = track.samp_values
        return f0


def load_tracker(method: Method = "fcpe", device: torch.device | str = "cpu") -> F0Tracker:
    """pYAAPT always runs on the CPU."""
    return YaaptTracker() if method == "pyaapt" else FcpeTracker(device)


def interpolate(f0: FloatArray, voiced: NDArray[np.bool_]) -> FloatArray:
    """f0: (frames,) with the unvoiced filled: linearly between voiced ones, level before and after them."""
    if not voiced.any():
        return np.zeros_like(f0)
    filled: FloatArray = f0.copy()
    places = np.flatnonzero(voiced)
    filled[~voiced] = np.interp(np.flatnonzero(~voiced), places, f0[places])
    return filled
