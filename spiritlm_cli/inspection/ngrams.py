"""Counts of n-grams of units in bounded memory."""

import numpy as np

from spiritlm_cli.tokens.units import IntArray

# Units with larger ids are not counted: three ids are packed into the 63 bits of a key.
ID_BITS = 20
MAX_IDS = 1 << ID_BITS
# Distinct n-grams that are kept, and n-grams that are collected before they are counted.
CAPACITY = 1 << 18
_BUFFER = 1 << 16


class NgramCounter:
    """Counts of the n-grams of one order.

    Counts are exact up to `capacity` distinct n-grams. If there are more, only the `capacity // 2` most frequent ones
    so far are kept. A count may then be too low, by at most `undercount`, and is never too high.
    """

    def __init__(self, order: int, capacity: int = CAPACITY) -> None:
        """order: 2 or 3."""
        self.order = order
        self.total = 0
        self._undercount = 0
        self._capacity = capacity
        self._keys = np.zeros(0, dtype=np.int64)
        self._counts = np.zeros(0, dtype=np.int64)
        self._buffer: list[IntArray] = []
        self._buffered = 0

    def add(self, ids: IntArray) -> None:
        """Count the n-grams of a stretch of units. ids: (n,) int64. N-grams with ids from `MAX_IDS` are left out."""
        count = len(ids) - self.order + 1
        if count < 1:
            return
        keys = np.zeros(count, dtype=np.int64)
        is_known = np.ones(count, dtype=bool)
        for index in range(self.order):
            part = ids[index : index + count]
            is_known &= part < MAX_IDS
            keys = (keys << ID_BITS) | np.where(part < MAX_IDS, part, 0)
        keys = keys[is_known]
        self.total += len(keys)
        self._buffer.append(keys)
        self._buffered += len(keys)
        if self._buffered >= _BUFFER:
            self._flush()

    @property
    def undercount(self) -> int:
        """By how much a count may be too low."""
        self._flush()
        return self._undercount

    def top(self, number: int) -> list[tuple[tuple[int, ...], int]]:
        """Return the most frequent n-grams and their counts; of equal ones, the lower ids first."""
        self._flush()
        best = np.argsort(-self._counts, kind="stable")[:number]
        return [(self._unpack(int(self._keys[index])), int(self._counts[index])) for index in best]

    def _flush(self) -> None:
        if not self._buffer:
            return
        new, new_counts = np.unique(np.concatenate(self._buffer), return_counts=True)
        keys, places = np.unique(np.concatenate([self._keys, new]), return_inverse=True)
        counts = np.zeros(len(keys), dtype=np.int64)
        np.add.at(counts, places, np.concatenate([self._counts, new_counts]))
        if len(keys) > self._capacity:
            order = np.argsort(-counts, kind="stable")
            kept = np.sort(order[: self._capacity // 2])
            self._undercount += int(counts[order[self._capacity // 2]])
            keys, counts = keys[kept], counts[kept]
        self._keys, self._counts = keys, counts
        self._buffer, self._buffered = [], 0

    def _unpack(self, key: int) -> tuple[int, ...]:
        shifts = range(ID_BITS * (self.order - 1), -1, -ID_BITS)
        return tuple(key >> shift & (MAX_IDS - 1) for shift in shifts)
