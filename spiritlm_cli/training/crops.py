"""Batches of crops of recordings, with the labels of their frames."""

import math
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spiritlm_cli.manifests.manifest import read_manifest
from spiritlm_cli.speech.windows import SAMPLE_RATE
from spiritlm_cli.training.audio_file import to_float
from spiritlm_cli.training.data import HOP, Recording


def real_weights(manifest: Path | None, weight: float) -> dict[str, float]:
    """Return the sampling weights of the clips of `manifest`: `weight` by clip id. Empty without a manifest."""
    return {clip.id: weight for clip in read_manifest(manifest)} if manifest else {}


class CropSampler:
    """Samples recordings of similar length for a batch.

    All recordings longer than a crop count as equally long, so that a batch mixes corpora of short and of long clips.
    """

    def __init__(
        self, recordings: Iterable[Recording], seconds: float, weights: Mapping[str, float] | None = None
    ) -> None:
        """seconds: longest crop. weights: relative sampling weights by clip id; 1 for a clip without one."""
        longest = int(seconds * 16000)
        self.recordings = sorted(
            recordings,
            key=lambda r: (
                min(len(r.samples), longest),
                zlib.crc32(r.clip.id.encode()),
            ),
        )
        known = weights or {}
        self._weights = np.array([known.get(r.clip.id, 1.0) for r in self.recordings])
        self._sums = self._weights.cumsum()

    def draw(self, size: int, rng: np.random.Generator) -> list[Recording]:
        """Draw `size` different recordings of a window of 8 × `size` neighbors in length; all if there are fewer.

        Each recording is drawn about in proportion to its weight, the shortest and the longest too.
        """
        count, window = len(self.recordings), 8 * size
        # A window by its total weight: a recording of it by weight, at a random place of the window. Those at the ends
        # are in fewer whole windows than others, and in as many that go beyond the ends.
        member = int(np.searchsorted(self._sums, rng.random() * self._sums[-1], side="right"))
        start = member - int(rng.integers(window))
        first = max(0, min(start, count - size))
        weights = self._weights[first : max(start + window, size)]
        size = min(size, len(weights))
        chosen = rng.choice(len(weights), size, replace=False, p=weights / weights.sum())
        return [self.recordings[first + i] for i in chosen]


@dataclass(frozen=True, eq=False)
class Batch:
    """Crops of equal length. waveform: (batch, samples) float32. labels: (batch, frames) int64, −100 where unknown."""

    waveform: Tensor
    labels: Tensor


def draw_batch(
    sampler: CropSampler,
    labels: Mapping[str, NDArray[np.int64]],
    size: int,
    seconds: float,
    rng: np.random.Generator,
    stretch: float = 0.0,
    hop: int = HOP,
) -> Batch:
    """Draw crops of equal length that start at frame boundaries.

    labels: (frames,) by clip id. size: clips in the batch. seconds: longest crop. hop: samples of a frame. stretch:
    resample each crop by a random factor within exp(± stretch), which changes speed, pitch and formants; its labels
    are resampled accordingly.
    """
    chosen = sampler.draw(size, rng)
    factors = np.exp(rng.uniform(-stretch, stretch, len(chosen))) if stretch else np.ones(len(chosen))
    lengths = [len(recording.samples) // hop for recording in chosen]
    frames = min(int((np.array(lengths) / factors).min()), int(seconds * SAMPLE_RATE / hop))
    waveforms = np.zeros((len(chosen), frames * hop), dtype=np.float32)
    targets = np.full((len(chosen), frames), -100, dtype=np.int64)
    for i, (recording, length, factor) in enumerate(zip(chosen, lengths, factors, strict=True)):
        start = int(rng.integers(0, max(1, length - math.ceil(frames * factor) + 1)))
        crop = to_float(recording.samples[start * hop :][: int(frames * hop * factor) + 1])
        times = np.arange(frames * hop) * factor
        waveforms[i] = crop[: frames * hop] if factor == 1 else np.interp(times, np.arange(len(crop)), crop)
        known = labels.get(recording.clip.id)
        if known is not None:
            index = start + np.floor((np.arange(frames) + 0.5) * factor).astype(np.int64)
            inside = index < len(known)
            targets[i, inside] = known[index[inside]]
    return Batch(torch.from_numpy(waveforms), torch.from_numpy(targets))
