"""Resample audio block by block."""

import numpy as np

from spiritlm_cli.manifests.clip import FloatArray


class Resampler:
    """Resample one recording that arrives in blocks.

    The concatenated output of `feed` does not depend on how the input is cut into blocks.
    """

    def __init__(self, source: int, target: int) -> None:
        """source, target: sampling rates of the input and of the output, in Hz."""
        import soxr

        self._stream = None if source == target else soxr.ResampleStream(source, target, 1, quality="HQ")

    def feed(self, samples: FloatArray, last: bool = False) -> FloatArray:
        """Add a block. Return the output samples that are ready; with `last`, all remaining ones.

        samples: (samples,) float32 at the source rate, may be empty. Returns (samples,) float32 at the target rate, may
        be empty.
        """
        if self._stream is None:
            return samples
        resampled: FloatArray = self._stream.resample_chunk(np.ascontiguousarray(samples), last)
        return resampled
