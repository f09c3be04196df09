"""Order in which a finite source's documents are drawn: each once in an epoch, in a new order each time."""

import numpy as np
from numpy.typing import NDArray


class Epochs:
    """Maps the number of a draw to a document.

    Draw n is of epoch n // size, and takes the document n % size of that epoch's permutation, which depends on the
    seed, the name of the source and the epoch alone.
    """

    def __init__(self, size: int, seed: int, name: str) -> None:
        """size: number of documents, at least 1. name: of the source."""
        self._size = size
        self._key = [seed, *name.encode()]
        # of two epochs, since lanes do not come to the end of one at the same time
        self._permutations: dict[int, NDArray[np.uint32]] = {}

    def __call__(self, number: int) -> int:
        """The index of the document of draw `number`."""
        epoch, index = divmod(number, self._size)
        if epoch not in self._permutations:
            if len(self._permutations) == 2:
                del self._permutations[min(self._permutations)]
            order = np.arange(self._size, dtype=np.uint32)
            np.random.default_rng([*self._key, epoch]).shuffle(order)
            self._permutations[epoch] = order
        return int(self._permutations[epoch][index])
