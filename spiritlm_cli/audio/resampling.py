"""From one sampling rate to another, block by block."""

import numpy as np

from spiritlm_cli.manifests.clip import FloatArray


class Resampler:
    """One sound that comes in blocks, at another rate.

    What `feed` gives, put together, is the same whatever the blocks are.
    """

    def __init__(self, source: int, target: int) -> None:
        """source, target: samples a second of what is fed and of what is given."""
        import soxr

        self._stream = None if source == target else soxr.ResampleStream(source, target, 1, quality="HQ")

    def feed(self, samples: FloatArray, last: bool = False) -> FloatArray:
        """The samples that are ready, some of them from blocks before; with `last` all that are left.

        samples: (samples,) float32 at the source's rate, also none. Returns (samples,) float32, also none.
        """
        if self._stream is None:
            return samples
        resampled: FloatArray = self._stream.resample_chunk(np.ascontiguousarray(samples), last)
        return resampled
