"""`train units`: k-means of the frames of clips, their labels, and a report of their quality.

These labels are what HuBERT is trained to predict: those of MFCCs at first, then those of its own layers (Hsu et al.
2021, arXiv 2106.07447).
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.checkpoints.tensors import write_tensors
from spiritlm_cli.console import counted, log, notify, one_line
from spiritlm_cli.errors import CheckpointError, ManifestError
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.manifests.manifest import read_manifest
from spiritlm_cli.nn.device import find_device
from spiritlm_cli.speech.hubert import Hubert
from spiritlm_cli.speech.quantizer import KMeansQuantizer
from spiritlm_cli.speech.windows import MIN_SAMPLES, SAMPLE_RATE, split_windows
from spiritlm_cli.training.audio_file import read_clips
from spiritlm_cli.training.data import cluster, write_labels
from spiritlm_cli.training.hubert_model import trained_hubert
from spiritlm_cli.training.mfcc import mfcc
from spiritlm_cli.training.phones import load_phones
from spiritlm_cli.training.unit_quality import UnitQuality, measure_units
from spiritlm_cli.training.units_options import UnitsOptions

Features = NDArray[np.float32]
# k-means takes at most so many frames for each cluster; more change its centers little.
FRAMES_PER_CLUSTER = 1000


def train(options: UnitsOptions) -> UnitQuality:
    """Write the centers and the labels of all clips, and return the report.

    The centers are `cluster_centers` (clusters, dim) of a safetensors file, which `load_quantizer` reads.
    Raises OptionError, CheckpointError if files would be replaced or there is no HuBERT, ManifestError if there are no
    clips, and SpiritLMError if there are fewer frames than clusters.
    """
    options.check()
    extract, hop = _extractor(options)
    centers_path = _centers_path(options)
    labels_path = options.labels or options.output / "training" / "labels.txt"
    for path in (centers_path, labels_path):
        if path.exists() and not options.overwrite:
            raise CheckpointError(f"{path}: exists; --overwrite replaces it")
    clips = list(read_manifest(options.manifest))
    phones = load_phones(options.phones, options.manifest) if options.phones else {}

    rng = np.random.default_rng(options.seed)
    order = rng.permutation(len(clips)) if options.hours else np.arange(len(clips))
    sample = FrameSample(FRAMES_PER_CLUSTER * options.clusters, rng)
    limit = float("inf") if options.hours is None else options.hours * 3600
    seconds = 0.0
    for _, samples in _read([clips[i] for i in order], "clips clustered"):
        sample.add(extract(samples))
        seconds += len(samples) / SAMPLE_RATE
        if seconds >= limit:
            break
    if not sample.seen:
        raise ManifestError(f"{options.manifest}: no clip of 80 ms or more")
    points = sample.frames()
    notify(f"{options.manifest}: k-means of {len(points)} frames, of {seconds / 3600:.2f} hours")
    kmeans = cluster(points, options.clusters, options.seed)
    quantizer = KMeansQuantizer(torch.from_numpy(np.array(kmeans.centroids)))
    write_tensors(centers_path, {"cluster_centers": quantizer.centers}, {"n_clusters": options.clusters})

    labels = {
        clip.id: kmeans.index.search(extract(samples), 1)[1][:, 0].astype(np.int64)
        for clip, samples in _read(clips, "clips labeled")
    }
    if short := [clip.id for clip in clips if clip.id not in labels]:
        log.warning(
            "%s: left out: %s of under 80 ms, the first is %s",
            options.manifest, counted(len(short), "clip"), one_line(short[0]),
        )  # fmt: skip
    write_labels(labels_path, labels)
    notify(f"{labels_path}: labels; {centers_path}: centers")
    return measure_units(labels, phones, options.clusters, SAMPLE_RATE / hop)


class FrameSample:
    """A uniform sample of at most `size` of the frames that are added, in bounded memory."""

    def __init__(self, size: int, rng: np.random.Generator) -> None:
        self._size, self._rng = size, rng
        self._frames: list[Features] = []
        self._keys: list[NDArray[np.float64]] = []
        self._held = 0
        self.seen = 0

    def add(self, features: Features) -> None:
        """features: (frames, dim). Each frame draws a key; the frames of the `size` lowest keys are kept."""
        self._frames.append(features)
        self._keys.append(self._rng.random(len(features)))
        self.seen += len(features)
        self._held += len(features)
        if self._held > 2 * self._size:
            self._reduce()

    def frames(self) -> Features:
        """Return the sample, (at most size, dim)."""
        self._reduce()
        return self._frames[0]

    def _reduce(self) -> None:
        frames, keys = np.concatenate(self._frames), np.concatenate(self._keys)
        if len(keys) > self._size:
            kept = np.sort(np.argpartition(keys, self._size)[: self._size])
            frames, keys = frames[kept], keys[kept]
        self._frames, self._keys, self._held = [frames], [keys], len(keys)


def _extractor(options: UnitsOptions) -> tuple[Callable[[Features], Features], int]:
    """Return the function from samples (samples,) to features (frames, dim), and the samples of one frame."""
    if options.features == "mfcc":
        hop = SAMPLE_RATE // (options.rate or 25)
        return lambda samples: mfcc(samples, hop), hop
    path = options.hubert or trained_hubert(options.output)
    device = find_device(options.device)
    hubert = Hubert.load(path, options.layer).to(device)
    hop = hubert.config.encoder.hop
    wanted = SAMPLE_RATE // options.rate if options.rate else hop
    if wanted not in (hop, 2 * hop):
        have = SAMPLE_RATE // hop
        raise CheckpointError(f"{path}: has {have} frames per second, so --rate is {have} or {have // 2}")

    @torch.inference_mode()
    def extract(samples: Features) -> Features:
        windows = [torch.from_numpy(window).to(device) for window in split_windows(samples)]
        # the last window may be shorter than a frame
        whole = [window for window in windows if len(window) >= hubert.receptive_field]
        features = np.concatenate([f.float().cpu().numpy() for w in whole for f in hubert([w])])
        if wanted == hop:
            return features
        means: Features = features[: len(features) // 2 * 2].reshape(-1, 2, features.shape[1]).mean(1)
        return means

    return extract, wanted


def _centers_path(options: UnitsOptions) -> Path:
    """The file of the centers: the quantizer of the HuBERT in the output folder, otherwise one in `training/`.

    Raises CheckpointError if that HuBERT has another quantizer.
    """
    if options.features == "mfcc":
        return options.output / "training" / f"mfcc_km{options.clusters}.safetensors"
    if options.hubert:
        return options.output / "training" / f"hubert_L{options.layer}_km{options.clusters}.safetensors"
    folder = Checkpoint(options.output, options.output.name).hubert.parent
    path = folder / f"L{options.layer}_quantizer_{options.clusters}.safetensors"
    if others := sorted(other for other in folder.glob("L*_quantizer_*") if other.stem != path.stem):
        raise CheckpointError(
            f"{others[0]}: the HuBERT of {options.output} has this quantizer, and a folder has one; "
            "write the units to another --output, with the HuBERT as --hubert"
        )
    return path


def _read(clips: Sequence[Clip], description: str) -> Iterator[tuple[Clip, Features]]:
    """Yield clips and their samples at 16 kHz, with progress; leave out clips of under 80 ms."""
    for clip, waveform in read_clips(clips, description):
        if len(waveform.samples) >= MIN_SAMPLES:
            yield clip, waveform.samples
