"""The first labels of HuBERT: clusters of a Whisper encoder's features, seen from the side that tells phones apart.

HuBERT begins from k-means on MFCCs (Hsu et al. 2021); a recognizer's encoder is a better beginning, and where texts
are known, linear discriminant analysis on aligned phones turns its features so that distance means phone, and not
voice or place in the clip.
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spiritlm_cli.alignment.pocketsphinx import Phone, PocketsphinxAligner
from spiritlm_cli.errors import MissingPackageError, SpiritLMError
from spiritlm_cli.training.data import Recording, cluster

Features = NDArray[np.float32]


class WhisperEncoder:
    """Features of a Whisper model in CTranslate2's form."""

    def __init__(self, folder: Path) -> None:
        try:
            import ctranslate2
            from faster_whisper.feature_extractor import FeatureExtractor
        except ImportError as error:
            raise MissingPackageError(
                "a Whisper teacher needs faster-whisper: pip install 'spiritlm[evaluate]'"
            ) from error
        if not (folder / "model.bin").is_file():
            raise SpiritLMError(f"{folder}: not a Whisper folder in CTranslate2's form (no model.bin)")
        self._storage = ctranslate2.StorageView
        self._model = ctranslate2.models.Whisper(
            str(folder), device="cpu", compute_type="float32", intra_threads=1
        )
        self._mel = FeatureExtractor()

    def __call__(self, samples: NDArray[np.float32]) -> Features:
        """(samples,) at 16 kHz, up to 30 s a piece, to (samples // 640, dim): two 50 Hz frames a unit, averaged."""
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


def phone_labels(phones: Sequence[Phone], frames: int) -> list[str]:
    """For each 40 ms frame the phone at its centre and which third of it: "AH1"; "" outside all phones."""
    labels = [""] * frames
    for phone in phones:
        first, last = int(np.ceil(phone.start * 25 - 0.5)), int(np.ceil(phone.end * 25 - 0.5))
        for frame in range(max(0, first), min(frames, last)):
            third = int(3 * ((frame + 0.5) / 25 - phone.start) / max(phone.end - phone.start, 0.01))
            labels[frame] = f"{phone.phone}{min(2, third)}"
    return labels


def align_all(recordings: Iterable[Recording]) -> dict[str, tuple[Phone, ...]]:
    """The phones of every clip whose text is known and fits."""
    aligner = PocketsphinxAligner()
    found = {}
    for recording in recordings:
        if recording.clip.text:
            try:
                found[recording.clip.id] = aligner.align_phones(recording.waveform, recording.clip.text)[1]
            except SpiritLMError as error:
                print(f"{recording.clip.id}: not aligned ({error})", file=sys.stderr)
    return found


def make_labels(
    recordings: Sequence[Recording],
    encoder: WhisperEncoder,
    phones: dict[str, tuple[Phone, ...]],
    units: int,
    seed: int = 0,
    dims: int = 64,
) -> dict[str, NDArray[np.int64]]:
    """A cluster for each 40 ms of each clip, by clip id; says on stderr how well clusters tell phones.

    dims: kept of the discriminant analysis. Without aligned phones the features are clustered as they are.
    """
    features = {r.clip.id: encoder(r.waveform.samples) for r in recordings}
    names = {clip: phone_labels(phones[clip], len(f)) for clip, f in features.items() if clip in phones}
    if names:
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

        x = np.concatenate([features[clip] for clip in names])
        y = np.array([name for clip in names for name in names[clip]])
        classes, y = np.unique(y, return_inverse=True)
        analysis = LinearDiscriminantAnalysis(solver="svd", n_components=min(dims, len(classes) - 1)).fit(
            x, y
        )
        features = {clip: analysis.transform(f).astype(np.float32) for clip, f in features.items()}
    everything = np.concatenate(list(features.values()))
    kmeans = cluster(everything, units, seed)
    labels = {clip: kmeans.index.search(f, 1)[1][:, 0].astype(np.int64) for clip, f in features.items()}
    if names:
        clusters = np.concatenate([labels[clip] for clip in names])
        phone = np.array([name[:-1] for clip in names for name in names[clip]])
        purity, information = phone_agreement(clusters, phone)
        print(
            f"teacher: phone purity {purity:.3f}, phone-normalised mutual information {information:.3f}",
            file=sys.stderr,
        )
    return labels


def phone_agreement(units: NDArray[np.int64], phones: NDArray[np.str_]) -> tuple[float, float]:
    """Phone purity and PNMI of units (Hsu et al. 2021, section IV-F). Both (frames,)."""
    _, p = np.unique(phones, return_inverse=True)
    joint = np.zeros((units.max() + 1, p.max() + 1))
    np.add.at(joint, (units, p), 1)
    joint /= joint.sum()
    by_unit, by_phone = joint.sum(1, keepdims=True), joint.sum(0, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        mutual = np.nansum(joint * np.log(joint / (by_unit * by_phone)))
        entropy = -np.nansum(by_phone * np.log(by_phone))
    return float(joint.max(1).sum()), float(mutual / entropy)
