"""Training data: sound kept in memory, cut and augmented a batch at a time."""

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.errors import ManifestError, SpiritLMError
from spiritlm_cli.manifests.clip import Clip, Waveform
from spiritlm_cli.manifests.manifest import read_manifest
from spiritlm_cli.tokens.reader import BadLine, read_lines
from spiritlm_cli.tokens.sequence import Header
from spiritlm_cli.tokens.units import Kind, Units

HOP = 640  # samples of a phonetic unit at 16 kHz


@dataclass(frozen=True, eq=False)
class Recording:
    """A clip with its sound: (samples,) int16 at 16 kHz, which takes half the memory of float32."""

    clip: Clip
    samples: NDArray[np.int16]

    @property
    def frames(self) -> int:
        return len(self.samples) // HOP

    @property
    def waveform(self) -> Waveform:
        return Waveform(self.samples.astype(np.float32) / np.float32(32767), 16000)


def load_recordings(manifest: Path, shortest: float = 0.5) -> list[Recording]:
    """Every clip of a manifest of at least `shortest` seconds. Says how much it is on stderr."""
    recordings = []
    for clip in read_manifest(manifest):
        waveform = read_clip(clip)
        if waveform.seconds >= shortest:
            recordings.append(Recording(clip, np.round(waveform.samples * 32767).astype(np.int16)))
    if not recordings:
        raise ManifestError(f"{manifest}: no clip of {shortest} s or more")
    hours = sum(len(r.samples) for r in recordings) / 16000 / 3600
    print(f"{manifest}: {len(recordings)} clips, {hours:.2f} hours", file=sys.stderr, flush=True)
    return recordings


def read_labels(path: Path) -> dict[str, NDArray[np.int64]]:
    """Phonetic units by clip id, from token lines that keep repeats. Raises ManifestError on a line without id."""
    labels = {}
    with path.open("rb") as stream:
        for line in read_lines(stream):
            if isinstance(line, Header):
                continue
            if isinstance(line, BadLine):
                raise line.error
            if line.id is None:
                raise ManifestError(f"{path}: a line has no id; labels are found by the clip's id")
            units = [
                unit.id for span in line.sequence.speech for unit in span.units if unit.kind is Kind.HUBERT
            ]
            labels[line.id] = np.array(units, dtype=np.int64)
    return labels


def read_units(path: Path) -> dict[str, Units]:
    """Streams by clip id, from the JSONL of `tokenize --format jsonl --keep-repeats`. Raises ManifestError."""
    found = {}
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                entry = json.loads(line)
                hubert, pitch, style = (
                    np.array(entry[key].split(), dtype=np.int64) if entry.get(key) is not None else None
                    for key in ("hubert", "pitch", "style")
                )
                found[str(entry["id"])] = Units(np.asarray(hubert, dtype=np.int64), pitch, style)
            except (ValueError, KeyError, AttributeError, TypeError) as error:
                raise ManifestError(f"{path}:{number}: not a line of units ({error})") from error
    return found


def cluster(points: NDArray[np.float32], count: int, seed: int, iterations: int = 40, runs: int = 2) -> Any:
    """faiss's k-means of points (n, dim), trained: the best of some runs.

    Raises SpiritLMError where there are fewer points than clusters.
    """
    import faiss

    if len(points) < count:
        raise SpiritLMError(
            f"{len(points)} frames can't make {count} clusters: give more sound, or ask for fewer"
        )
    kmeans = faiss.Kmeans(
        points.shape[1], count, niter=iterations, nredo=runs, seed=seed, max_points_per_centroid=1000
    )
    kmeans.train(np.ascontiguousarray(points))
    return kmeans


def by_length(recordings: Iterable[Recording]) -> list[Recording]:
    """Shortest first, so that neighbours make a batch of nearly one length."""
    return sorted(recordings, key=lambda r: len(r.samples))


@dataclass(frozen=True, eq=False)
class Batch:
    """Crops of one length. waveform: (batch, samples) float32; labels: (batch, frames) int64, −100 where unknown."""

    waveform: Tensor
    labels: Tensor


def draw_batch(
    recordings: list[Recording],
    labels: Mapping[str, NDArray[np.int64]],
    size: int,
    seconds: float,
    draw: np.random.Generator,
    stretch: float = 0.0,
) -> Batch:
    """Crops of neighbours in length, starting on a unit's edge.

    recordings: sorted by length. stretch: resample each crop by a factor within 1 ± stretch; its speed, pitch and
    formants change as those of another speaker would, and its labels go with it.
    """
    at = int(draw.integers(0, max(1, len(recordings) - size + 1)))
    chosen = recordings[at : at + size]
    factors = np.exp(draw.uniform(-stretch, stretch, len(chosen))) if stretch else np.ones(len(chosen))
    frames = min(int(min(r.frames / f for r, f in zip(chosen, factors, strict=True))), int(seconds * 25))
    waveforms = np.zeros((len(chosen), frames * HOP), dtype=np.float32)
    targets = np.full((len(chosen), frames), -100, dtype=np.int64)
    for i, (recording, factor) in enumerate(zip(chosen, factors, strict=True)):
        start = int(draw.integers(0, max(1, recording.frames - int(frames * factor))))
        taken = recording.samples[start * HOP :][: int(frames * HOP * factor) + 1].astype(np.float32) / 32767
        times = np.arange(frames * HOP) * factor
        waveforms[i] = (
            taken[: frames * HOP] if factor == 1 else np.interp(times, np.arange(len(taken)), taken)
        )
        known = labels.get(recording.clip.id)
        if known is not None:
            index = start + np.floor((np.arange(frames) + 0.5) * factor).astype(np.int64)
            inside = index < len(known)
            targets[i, inside] = known[index[inside]]
    return Batch(torch.from_numpy(waveforms), torch.from_numpy(targets))


def augment(waveform: Tensor, draw: np.random.Generator) -> Tensor:
    """Other rooms, microphones, noises and levels: each row of (batch, samples) changed on its own, same length."""
    batch, samples = waveform.shape
    size = 2 * samples
    spectrum = torch.fft.rfft(waveform, size)
    spectrum = spectrum * _equalizers(batch, spectrum.shape[-1], draw)
    spectrum = spectrum * torch.fft.rfft(_rooms(batch, draw), size)
    changed = torch.fft.irfft(spectrum, size)[:, :samples]
    level = changed.square().mean(1, keepdim=True).sqrt() + 1e-5
    noise = _noises(waveform, draw)
    snr = torch.from_numpy(draw.uniform(3, 30, (batch, 1))).float()
    gain = torch.from_numpy(10 ** draw.uniform(-1, 0.3, (batch, 1))).float()
    augmented: Tensor = (changed / level + noise * 10 ** (-snr / 20)) * gain * 0.1
    return augmented


def _equalizers(batch: int, bins: int, draw: np.random.Generator) -> Tensor:
    """Smooth gain curves within ±8 dB."""
    knots = torch.from_numpy(draw.uniform(-8, 8, (batch, 1, 8))).float()
    return 10 ** (torch.nn.functional.interpolate(knots, bins, mode="linear", align_corners=True)[:, 0] / 20)


def _rooms(batch: int, draw: np.random.Generator) -> Tensor:
    """Impulse responses: the direct sound, then, for half of them, decaying noise (T60 of 0.1 to 0.6 s)."""
    length = 6400
    time = np.arange(length) / 16000
    decay = np.exp(-6.9 * time[None] / draw.uniform(0.1, 0.6, (batch, 1)))
    tail = draw.standard_normal((batch, length)) * decay * draw.uniform(0, 0.06, (batch, 1))
    tail *= draw.random((batch, 1)) < 0.5
    tail[:, :16] = 0
    tail[:, 0] = 1
    return torch.from_numpy(tail).float()


def _noises(waveform: Tensor, draw: np.random.Generator) -> Tensor:
    """Noise of level 1: coloured, or for a third of the rows the babble of the others."""
    batch, samples = waveform.shape
    white = torch.from_numpy(draw.standard_normal((batch, samples), dtype=np.float32))
    spectrum = torch.fft.rfft(white)
    slope = torch.from_numpy(draw.uniform(0, 1, (batch, 1))).float()
    coloured = torch.fft.irfft(spectrum / (torch.arange(spectrum.shape[1]) + 20.0) ** slope, samples)
    babble = sum(waveform.roll(k, 0) for k in range(1, min(4, batch)))
    chosen = torch.from_numpy(draw.random((batch, 1)) < 0.33)
    noise = torch.where(chosen, torch.as_tensor(babble), coloured) if batch > 1 else coloured
    return noise / (noise.square().mean(1, keepdim=True).sqrt() + 1e-5)
