"""The fundamental frequency of a voice, 200 times a second: FCPE, or pYAAPT."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from spiritlm_cli.manifests.clip import FloatArray
from spiritlm_cli.speech import fcpe
from spiritlm_cli.speech.windows import SAMPLE_RATE, WINDOW_SAMPLES, split_windows

HOP = 80

F0Method = Literal["fcpe", "pyaapt"]


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

    hop: samples from frame to frame of `voiced_f0`; highest: Hz, the most that F0 can be; network: where there is
    one.
    """

    hop: int
    highest: float = np.inf
    network: nn.Module | None = None

    @abstractmethod
    def voiced_f0(self, windows: Sequence[FloatArray]) -> list[FloatArray]:
        """windows: each (samples,) at 16 kHz, at least 80 ms. Returns (frames,) Hz of each, 0 where there is no
        voice: what it would be of each alone."""

    def __call__(self, samples: FloatArray) -> F0Track:
        """samples: (samples,) float32 at 16 kHz, at least 1280. Returns a frame for every 80 samples."""
        windows = split_windows(samples)
        return self.join_windows([f0 for window in windows for f0 in self.voiced_f0([window])], len(samples))

    def join_windows(self, parts: Sequence[FloatArray], samples: int) -> F0Track:
        """The track of a clip of so many samples from what `voiced_f0` says of its windows."""
        # the frame at the end of a window is the first of the next
        whole = [*(part[: WINDOW_SAMPLES // self.hop] for part in parts[:-1]), parts[-1]]
        f0 = np.concatenate(whole).astype(np.float32)
        voiced = f0 > 0
        f0 = np.minimum(interpolate(f0, voiced), np.float32(self.highest))
        if self.hop == HOP:
            return F0Track(f0, voiced)
        both = torch.from_numpy(np.stack([f0, voiced.astype(np.float32)]))
        both = F.interpolate(both[None], size=samples // HOP + 1, mode="nearest")[0]
        return F0Track(both[0].numpy(), both[1].numpy() > 0)


class FcpeTracker(F0Tracker):
    """FCPE, set as in the release."""

    hop = fcpe.HOP
    threshold = 0.05
    lowest = 50.0
    highest = 1100.0

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.network: fcpe.Fcpe = fcpe.Fcpe.load().to(self.device)

    @torch.inference_mode()
    def voiced_f0(self, windows: Sequence[FloatArray]) -> list[FloatArray]:
        return self.track_tensors([torch.tensor(window, device=self.device) for window in windows])

    def track_tensors(self, waveforms: Sequence[Tensor]) -> list[FloatArray]:
        """`voiced_f0` of what is on the device already."""
        found = torch.cat(self.network(waveforms, self.threshold))
        f0: FloatArray = torch.where(found < self.lowest, 0, found).float().cpu().numpy()
        frames = [len(waveform) // self.hop + 1 for waveform in waveforms]
        return np.split(f0, np.cumsum(frames)[:-1])


class YaaptTracker(F0Tracker):
    """YAAPT (Zahorian and Hu 2008, doi 10.1121/1.2916590), from AMFM_decompy, set as in the release."""

    hop = HOP
    frame_milliseconds = 20.0
    time_frame_milliseconds = 25.0
    nccf_threshold = 0.25
    peak = 0.95

    def voiced_f0(self, windows: Sequence[FloatArray]) -> list[FloatArray]:
        return [self._voiced_f0(window) for window in windows]

    def _voiced_f0(self, samples: FloatArray) -> FloatArray:
        from amfm_decompy import basic_tools, pYAAPT

        loudest = float(np.abs(samples).max())
        if loudest == 0:
            # The tracker divides by the energy.
            return np.zeros(-(-len(samples) // HOP), np.float32)
        margin = int(self.frame_milliseconds / 2 * SAMPLE_RATE / 1000)
        padded = np.pad(samples.astype(np.float64) * (self.peak / loudest), margin)
        with warnings.catch_warnings():
            # It warns of means of nothing where it hears no voice, and comes out right.
            warnings.simplefilter("ignore")
            track = pYAAPT.yaapt(
                basic_tools.SignalObj(padded, SAMPLE_RATE),
                frame_length=self.frame_milliseconds,
                frame_space=1000 * HOP / SAMPLE_RATE,
                tda_frame_length=self.time_frame_milliseconds,
                nccf_thresh1=self.nccf_threshold,
            )
        f0: FloatArray = track.samp_values
        return f0


def load_tracker(method: F0Method = "fcpe", device: torch.device | str = "cpu") -> F0Tracker:
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
