"""Pseudo-labels for HuBERT: clusters of a Whisper encoder's features.

HuBERT starts from k-means on MFCCs (Hsu et al. 2021). The features of a speech recognizer's encoder agree better with
phones. For clips with text, linear discriminant analysis on aligned phones transforms the features first, so that
distances depend on the phone more than on the speaker or the position in the clip.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spiritlm_cli.alignment.pocketsphinx import Phone
from spiritlm_cli.console import notify
from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.evaluation.phone_agreement import PhoneAgreement, frame_phones
from spiritlm_cli.third_party import needs_extra
from spiritlm_cli.training.data import cluster

Features = NDArray[np.float32]


class WhisperEncoder:
    """Computes features with the encoder of a Whisper model in CTranslate2 format, on a CPU."""

    def __init__(self, folder: Path) -> None:
        """Load the model. Raises SpiritLMError if faster-whisper is not installed or `folder` has no model."""
        with needs_extra("faster-whisper", extra="train", purpose="a Whisper teacher"):
            import ctranslate2
            from faster_whisper.feature_extractor import FeatureExtractor
        if not (folder / "model.bin").is_file():
            raise SpiritLMError(f"{folder}: not a Whisper model in CTranslate2 format (no model.bin)")
        self._storage = ctranslate2.StorageView
        self._model = ctranslate2.models.Whisper(
            str(folder), device="cpu", compute_type="float32", intra_threads=1
        )
        self._mel = FeatureExtractor()

    def __call__(self, samples: NDArray[np.float32]) -> Features:
        """Compute features at 25 Hz, the means of two 50 Hz frames of the encoder.

        samples: (samples,) at 16 kHz, encoded in pieces of 30 s. Returns (samples // 640, dim).
        """
        pieces = []
        for start in range(0, len(samples), 30 * 16000):
            piece = samples[start : start + 30 * 16000]
            frames = len(piece) // 640
            if not frames:
                continue
            mel = np.ascontiguousarray(self._mel(piece, padding=640)[None, :, : 4 * frames])
            encoded = np.array(self._model.encode(self._storage.from_array(mel)))[0]
            pieces.append(encoded[: 2 * frames].reshape(frames, 2, -1).mean(1))
        return np.concatenate(pieces).astype(np.float32)


def make_labels(
    features: Mapping[str, Features],
    phones: Mapping[str, tuple[Phone, ...]],
    units: int,
    *,
    anchors: Mapping[str, NDArray[np.int64]] | None = None,
    seed: int = 0,
    dims: int = 64,
) -> dict[str, NDArray[np.int64]]:
    """Assign a cluster to each 40 ms frame of each clip.

    features: (frames, dim) by clip id. phones: of the aligned clips, by clip id. With phones, the features are first
    projected to `dims` dimensions by linear discriminant analysis of the phones.
    anchors: units, (frames,) by clip id. With anchors, each cluster is one of these units, with the mean feature of its
    frames as centroid, so that labels correspond to these units. Without, `units` clusters are trained by k-means.
    Returns (frames,) int64 by clip id. Logs phone purity and phone-normalized mutual information if there are phones.
    Raises SpiritLMError if there are fewer frames than clusters, or if scikit-learn is needed and not installed.
    """
    names = {
        clip: frame_phones(phones[clip], len(f), 25, thirds=True)
        for clip, f in features.items()
        if clip in phones
    }
    if names:
        features = _discriminate(features, names, dims)
    if anchors is None:
        index = cluster(np.concatenate(list(features.values())), units, seed).index
    else:
        index = _centroid_index(features, anchors)
    labels = {clip: index.search(f, 1)[1][:, 0].astype(np.int64) for clip, f in features.items()}
    if names:
        clusters = np.concatenate([labels[clip] for clip in names])
        phone = np.array([name[:-1] for clip in names for name in names[clip]])
        agreement = PhoneAgreement.measure(clusters, phone)
        notify(f"pseudo-labels: phone purity {agreement.phone_purity:.3f}, PNMI {agreement.pnmi:.3f}")
    return labels


def _discriminate(
    features: Mapping[str, Features], names: Mapping[str, Sequence[str]], dims: int
) -> dict[str, Features]:
    """Project features by linear discriminant analysis. names: label of each frame of the aligned clips."""
    with needs_extra("scikit-learn", extra="train", purpose="pseudo-labels"):
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    x = np.concatenate([features[clip] for clip in names])
    classes, y = np.unique(np.array([name for clip in names for name in names[clip]]), return_inverse=True)
    analysis = LinearDiscriminantAnalysis(solver="svd", n_components=min(dims, len(classes) - 1)).fit(x, y)
    return {clip: analysis.transform(f).astype(np.float32) for clip, f in features.items()}


def _centroid_index(features: Mapping[str, Features], anchors: Mapping[str, NDArray[np.int64]]) -> Any:
    """Return a faiss index whose row i is the mean feature of unit i, or a point far from all features for none."""
    import faiss

    count = 1 + max(int(units.max()) for units in anchors.values() if len(units))
    dim = next(iter(features.values())).shape[1]
    total, frames = np.zeros((count, dim)), np.zeros(count)
    for clip, units in anchors.items():
        if clip in features:
            length = min(len(units), len(features[clip]))
            np.add.at(total, units[:length], features[clip][:length])
            np.add.at(frames, units[:length], 1)
    centroids = np.where(frames[:, None] > 0, total / np.maximum(frames, 1)[:, None], 1e6)
    index = faiss.IndexFlatL2(dim)
    index.add(np.ascontiguousarray(centroids, dtype=np.float32))
    return index
