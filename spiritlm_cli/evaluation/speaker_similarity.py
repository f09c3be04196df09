"""Speaker similarity: the cosine of two clips' speaker embeddings.

Source: Wan et al. 2018, "Generalized end-to-end loss for speaker verification" (arXiv 1710.10467). The network is in
the package resemblyzer.
"""

import warnings
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from spiritlm_cli.errors import MissingPackageError
from spiritlm_cli.manifests.clip import FloatArray, Waveform
from spiritlm_cli.speech.windows import SAMPLE_RATE, check_samples

_INSTALL = "pip install resemblyzer webrtcvad 'setuptools<81'"


def describe_speaker_encoder() -> str:
    """How a result names the network: `resemblyzer 0.1.4`. Raises MissingPackageError without Resemblyzer."""
    try:
        return f"resemblyzer {version('resemblyzer')}"
    except PackageNotFoundError as error:
        raise _missing(error) from error


class SpeakerEncoder:
    """Computes speaker embeddings with Resemblyzer."""

    def __init__(self, device: str = "cpu") -> None:
        """Load the network. Raises MissingPackageError without Resemblyzer."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # names that scipy and setuptools will remove
                import resemblyzer
        except ImportError as error:
            raise _missing(error) from error
        self._prepare = resemblyzer.preprocess_wav
        self._encoder = resemblyzer.VoiceEncoder(device, verbose=False)

    def embed(self, waveform: Waveform) -> FloatArray | None:
        """The embedding of a clip, of length 1; None if it has no voice.

        waveform: at 16 kHz. Returns (256,). Raises AudioError as `check_samples` does.
        """
        samples = check_samples(waveform, SAMPLE_RATE)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # a mean of no samples
            voiced = self._prepare(samples)
            if not len(voiced):
                return None
            embedding: FloatArray = self._encoder.embed_utterance(voiced)
        return embedding if np.isfinite(embedding).all() else None


def _missing(error: ImportError) -> MissingPackageError:
    return MissingPackageError(
        f"the package resemblyzer, which is needed for speaker similarity, can't be imported ({error}); "
        f"its package webrtcvad needs pkg_resources, which setuptools has up to version 80; try: {_INSTALL}"
    )


def similarity(one: FloatArray | None, other: FloatArray | None) -> float | None:
    """Cosine of two embeddings of length 1; None if there is not one of each."""
    return None if one is None or other is None else float(one @ other)
