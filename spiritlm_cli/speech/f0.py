"""Fundamental frequency (F0) of speech at 200 Hz, by FCPE or pYAAPT."""

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

# Samples at 16 kHz from one F0 frame to the next.
HOP = 80

F0Method = Literal["fcpe", "pyaapt"]


@dataclass(frozen=True, eq=False)
class F0Track:
    """F0 of a clip, one frame for every 80 samples at 16 kHz.

    f0: (frames,) float32 Hz, interpolated over unvoiced frames; all 0 if no frame is voiced.
    voiced: (frames,) bool.
    """

    f0: FloatArray
    voiced: NDArray[np.bool_]


class F0Tracker(ABC):
    """Tracks F0.

    hop: samples from one frame of `voiced_f0` to the next. max_f0: Hz, the upper limit of F0. network: the tracker's
    network, or None.
    """

    hop: int
    max_f0: float = np.inf
    network: nn.Module | None = None

    @abstractmethod
    def voiced_f0(self, windows: Sequence[FloatArray]) -> list[FloatArray]:
        """Track F0 of a batch of windows; the result for a window doesn't depend on the others.

        windows: each (samples,) float32 at 16 kHz, at least 80 ms. Returns (frames,) Hz for each, 0 where unvoiced.
        """

    def __call__(self, samples: FloatArray) -> F0Track:
        """Track F0 of a clip of at least 80 ms. samples: (samples,) float32 at 16 kHz."""
        windows = split_windows(samples)
        return self.join_windows([f0 for window in windows for f0 in self.voiced_f0([window])], len(samples))

    def join_windows(self, windows: Sequence[FloatArray], samples: int) -> F0Track:
        """Join the results of `voiced_f0` for all windows of a clip. samples: length of the clip."""
        # The frame at the end of a window is also the first frame of the next window.
        parts = [*(window[: WINDOW_SAMPLES // self.hop] for window in windows[:-1]), windows[-1]]
        f0 = np.concatenate(parts).astype(np.float32)
        voiced = f0 > 0
        f0 = np.minimum(interpolate_unvoiced(f0, voiced), np.float32(self.max_f0))
        if self.hop == HOP:
            return F0Track(f0, voiced)
        both = torch.from_numpy(np.stack([f0, voiced.astype(np.float32)]))
        both = F.interpolate(both[None], size=samples // HOP + 1, mode="nearest")[0]
        return F0Track(both[0].numpy(), both[1].numpy() > 0)


class FcpeTracker(F0Tracker):
    """FCPE, set as in the published tokenizer."""

    hop = fcpe.HOP
    threshold = 0.05
    min_f0 = 50.0
    max_f0 = 1100.0

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.network: fcpe.Fcpe = fcpe.Fcpe.load().to(self.device)

    @torch.inference_mode()
    def voiced_f0(self, windows: Sequence[FloatArray]) -> list[FloatArray]:
        return self.track_tensors([torch.tensor(window, device=self.device) for window in windows])

    def track_tensors(self, waveforms: Sequence[Tensor]) -> list[FloatArray]:
        """As `voiced_f0`, for tensors that are on the device already.

        A window that exceeds full scale is scaled down to it: the louder it is, the more FCPE differs. Others are
        tracked as they are, as in the published tokenizer.
        """
        scaled = [waveform / waveform.abs().amax().clamp(min=1) for waveform in waveforms]
        hertz = torch.cat(self.network(scaled, self.threshold))
        f0: FloatArray = torch.where(hertz < self.min_f0, 0, hertz).float().cpu().numpy()
        frames = [len(waveform) // self.hop + 1 for waveform in waveforms]
        return np.split(f0, np.cumsum(frames)[:-1])


class YaaptTracker(F0Tracker):
    """YAAPT (Zahorian and Hu 2008, doi 10.1121/1.2916590) from AMFM_decompy, set as in the published tokenizer."""

    hop = HOP
    frame_milliseconds = 20.0
    time_frame_milliseconds = 25.0
    nccf_threshold = 0.25
    peak_level = 0.95

    def voiced_f0(self, windows: Sequence[FloatArray]) -> list[FloatArray]:
        return [self._voiced_f0(window) for window in windows]

    def _voiced_f0(self, samples: FloatArray) -> FloatArray:
        from amfm_decompy import basic_tools, pYAAPT

        peak = float(np.abs(samples).max())
        if peak == 0:
            # pYAAPT divides by the energy.
            return np.zeros(-(-len(samples) // HOP), np.float32)
        margin = int(self.frame_milliseconds / 2 * SAMPLE_RATE / 1000)
        padded = np.pad(samples.astype(np.float64) * (self.peak_level / peak), margin)
        with warnings.catch_warnings():
            # pYAAPT takes means of empty arrays if nothing is voiced, which warns but does no harm.
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
    """Return the F0 tracker called `method`. pYAAPT always runs on the CPU.

    Raises CheckpointError if the weights of FCPE are missing.
    """
    return YaaptTracker() if method == "pyaapt" else FcpeTracker(device)


def interpolate_unvoiced(f0: FloatArray, voiced: NDArray[np.bool_]) -> FloatArray:
    """Interpolate F0 linearly over unvoiced frames; before the first and after the last voiced frame it is constant.

    f0, voiced: (frames,). Returns (frames,), all 0 if no frame is voiced.
    """
    if not voiced.any():
        return np.zeros_like(f0)
    filled: FloatArray = f0.copy()
    indices = np.flatnonzero(voiced)
    filled[~voiced] = np.interp(np.flatnonzero(~voiced), indices, f0[indices])
    return filled
