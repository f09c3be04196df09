"""Frames of the files of an ABX item file: units or features of audio files, or features in .npy files."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from spiritlm_cli.audio.reading import read_windows
from spiritlm_cli.batching import BatchScheduler, Outcome
from spiritlm_cli.errors import ManifestError, SpiritLMError
from spiritlm_cli.evaluation.abx_distance import Features
from spiritlm_cli.evaluation.abx_items import AbxToken, SliceRule, frame_slice
from spiritlm_cli.manifests.clip import Clip, FloatArray
from spiritlm_cli.manifests.named_files import NamedFiles
from spiritlm_cli.nn.device import check_finite, to_device
from spiritlm_cli.nn.memory import BATCH_ADVICE, default_batch_seconds
from spiritlm_cli.speech.hubert import Hubert
from spiritlm_cli.speech.windows import MIN_SECONDS, SAMPLE_RATE, WINDOW_SECONDS, check_samples

# Files that are mapped into memory at the same time.
_MAX_MAPPED = 256

Encode = Callable[[Iterable[Clip]], Iterable[tuple[Any, Outcome[Features]]]]


class FrameSource(Protocol):
    """Gives the frames of files. rate: frames per second."""

    rate: float

    def load(self, names: Iterable[str]) -> None:
        """Prepare files that are needed next; a file that can't be used is an error of `frames`."""
        ...

    def frames(self, name: str) -> Features:
        """The frames of a file. Raises SpiritLMError if it is missing or can't be used."""
        ...


class EncodedFrames:
    """Frames that a model computes of the audio files in and below a folder. Each file is computed once."""

    def __init__(self, folder: Path, rate: float, encode: Encode) -> None:
        """encode: yields the frames of clips, in order. Raises ManifestError for a folder without audio files."""
        self.rate, self._encode = rate, encode
        self._clips = NamedFiles.audio(folder)
        self._known: dict[str, Features | SpiritLMError] = {}

    def load(self, names: Iterable[str]) -> None:
        """Compute the files that are not known."""
        clips: dict[str, Clip] = {}
        for name in dict.fromkeys(names):
            # A name without a file is an error of `frames`.
            with suppress(ManifestError):
                clips[self._clips[name].id] = self._clips[name]
        for clip, outcome in self._encode([clip for id_, clip in clips.items() if id_ not in self._known]):
            try:
                self._known[clip.id] = np.concatenate(list(outcome))
            except SpiritLMError as error:
                self._known[clip.id] = error

    def frames(self, name: str) -> Features:
        """The frames of a file that was loaded. Raises SpiritLMError if it is missing or can't be used."""
        known = self._known[self._clips[name].id]
        if isinstance(known, SpiritLMError):
            raise known
        return known


class StoredFrames:
    """Features in .npy files in and below a folder: (frames, dim) of numbers, or (frames,) of units."""

    def __init__(self, folder: Path, rate: float) -> None:
        """Raises ManifestError for a folder without .npy files."""
        self.rate = rate
        paths = sorted(folder.rglob("*.npy"))
        if not paths:
            raise ManifestError(f"{folder}: no .npy files in this folder")
        names = {path.relative_to(folder).with_suffix("").as_posix(): path for path in paths}
        self._paths = NamedFiles(names, folder)
        self.frames = lru_cache(_MAX_MAPPED)(self._frames)

    def load(self, names: Iterable[str]) -> None:
        """Files are read when they are needed."""

    def _frames(self, name: str) -> Features:
        """The frames of a file, mapped into memory. Raises ManifestError if it is missing, or not of features."""
        path = self._paths[name]
        try:
            # Nothing is unpickled.
            array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise ManifestError(f"{path}: not a .npy file of numbers ({error})") from None
        is_units = array.ndim == 1 and array.dtype.kind in "iu"
        if not is_units and not (array.ndim == 2 and array.shape[1] and array.dtype.kind == "f"):
            raise ManifestError(
                f"{path}: {array.dtype} of shape {array.shape}; expected floats of (frames, dim), or integers of "
                "(frames,)"
            )
        return array


def token_frames(source: FrameSource, token: AbxToken, rule: SliceRule) -> Features:
    """The frames of a token; there may be none. Raises ManifestError for frames that are not finite."""
    frames = source.frames(token.file)
    found: Features = np.array(frames[frame_slice(token.onset, token.offset, source.rate, len(frames), rule)])
    if not np.isfinite(found).all():
        raise ManifestError(f"{token.file}: features that are infinite or not a number")
    return found


class HubertFeatures:
    """Computes the features of a HuBERT layer of clips, in batches."""

    def __init__(self, hubert: Hubert, batch_seconds: float | None = None, workers: int = 2) -> None:
        """hubert: up to the layer, on its device. batch_seconds: of audio (None: `default_batch_seconds`).

        workers: threads that read.
        """
        self._hubert, self._workers = hubert, workers
        self._device = next(hubert.parameters()).device
        self._batch_seconds = default_batch_seconds(self._device) if batch_seconds is None else batch_seconds
        self.rate = SAMPLE_RATE / hubert.config.encoder.hop

    def __call__(self, clips: Iterable[Clip]) -> BatchScheduler[Clip, FloatArray, FloatArray]:
        """Yields (clip, outcome) in order; the outcome has features for each window, (frames, dim)."""
        return BatchScheduler(
            clips,
            _windows,
            self._compute,
            size=lambda window: len(window) / SAMPLE_RATE,
            max_batch=self._batch_seconds,
            workers=self._workers,
            max_buffered=max(4 * self._batch_seconds, 2 * WINDOW_SECONDS),
            memory_advice=BATCH_ADVICE,
        )

    @torch.inference_mode()
    def _compute(self, windows: Any) -> list[FloatArray]:
        samples = [to_device(window, self._device) for window in windows]
        features = self._hubert(samples)
        check_finite(features)
        return [clip.float().cpu().numpy() for clip in features]


def _windows(clip: Clip) -> Iterator[FloatArray]:
    for window in read_windows(
        clip, rate=SAMPLE_RATE, window_seconds=WINDOW_SECONDS, min_seconds=MIN_SECONDS
    ):
        yield check_samples(window, SAMPLE_RATE)
