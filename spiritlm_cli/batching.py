"""Run a batch function over a stream of items: read ahead in threads, pack batches by length, keep the order.

An item (a clip, a token line) is split into pieces (windows of a waveform, prompts to continue). A batch holds pieces
of any items. The result of a piece must not depend on the other pieces in its batch, because which pieces share a batch
depends on the timing of the threads.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.out_of_memory import MemoryBoundCompute, is_out_of_memory
from spiritlm_cli.outcome import Outcome

__all__ = ["BatchScheduler", "Outcome"]

Item = TypeVar("Item")
Piece = TypeVar("Piece")
Result = TypeVar("Result")

# Maximum number of items that are being read or wait to be yielded.
_MAX_ITEMS = 1024
# Pieces of the current item that may be read ahead of its consumer even if the buffer is full.
_MIN_LOOKAHEAD = 2
# Seconds to wait for each thread to end.
_JOIN_SECONDS = 1.0


@dataclass(eq=False)
class _Entry(Generic[Item, Piece, Result]):
    """An item in progress.

    pieces: iterator over the pieces that are not read yet; None before the item is opened.
    results: results that are computed and not yielded, by the index of their piece.
    sizes: sizes of the pieces that are read and whose results are not yielded, in order.
    read, yielded: number of pieces read, and of results yielded.
    closed: all pieces are read, reading failed (`error`), or the item is finished.
    """

    item: Item
    pieces: Iterator[Piece] | None = None
    results: dict[int, Result] = field(default_factory=dict)
    sizes: deque[float] = field(default_factory=deque)
    read: int = 0
    yielded: int = 0
    closed: bool = False
    error: BaseException | None = None


@dataclass(eq=False)
class _Task(Generic[Item, Piece, Result]):
    """A piece that is read and whose result is not computed yet. index: of the piece in its item."""

    entry: _Entry[Item, Piece, Result]
    index: int
    piece: Piece
    size: float


class BatchScheduler(Generic[Item, Piece, Result]):
    """Iterate over (item, outcome) in the order of the items. The outcome yields a result for each piece, in order.

    A SpiritLMError raised by `split` is raised by the outcome of that item; other items are not affected. Results that
    are not taken before the next item is requested are dropped. An error raised by `items` itself is raised after all
    items before it.
    """

    def __init__(
        self,
        items: Iterable[Item],
        split: Callable[[Item], Iterable[Piece]],
        compute: Callable[[Sequence[Piece]], Sequence[Result | None]],
        *,
        size: Callable[[Piece], float],
        max_batch: float,
        max_buffered: float | None = None,
        workers: int = 1,
        memory_advice: str = "end other programs",
        release: Callable[[Piece], None] | None = None,
    ) -> None:
        """Configure the scheduler; iterating starts it.

        split: pieces of an item, may be lazy. Called in one of `workers` threads; with 0 workers, in the iterating
            thread, for pieces that cost computation rather than waiting.
        compute: results of a batch, in order; called in the iterating thread. None for a piece that is not finished:
            it stays in the next batch, and other pieces take the place of finished ones. If there is too little memory
            for a batch, it is called again with parts of it.
        size: size of a piece, such as its length in seconds.
        max_batch: maximum of number of pieces x size of the largest piece. A piece larger than that is a batch alone.
        max_buffered: maximum total size of pieces that are read before their turn; 4 x max_batch if None.
        memory_advice: what to do if there is too little memory even for one piece, for the error. release: frees the
            memory of a piece that is not finished, which then waits for others.
        """
        self._items, self._split, self._size = items, split, size
        self._compute = MemoryBoundCompute(compute, memory_advice, release)
        self._max_batch = max_batch
        self._max_buffered = 4 * max_batch if max_buffered is None else max_buffered
        self._workers = workers
        self._changed = threading.Condition()
        self._entries: deque[_Entry[Item, Piece, Result]] = deque()
        self._unread: deque[_Entry[Item, Piece, Result]] = deque()
        self._pending: list[_Task[Item, Piece, Result]] = []
        self._unfinished: list[_Task[Item, Piece, Result]] = []
        self._buffered = 0.0
        self._ended = False
        self._stopped = False
        self._items_error: BaseException | None = None

    def __iter__(self) -> Iterator[tuple[Item, Outcome[Result]]]:
        # Daemon threads, because nothing can wake a thread that reads stdin, and a program that exits with an error
        # must not wait for it.
        threads = [threading.Thread(target=self._feed, name="feeder", daemon=True)]
        threads += [
            threading.Thread(target=self._read, name="reader", daemon=True) for _ in range(self._workers)
        ]
        for thread in threads:
            thread.start()
        try:
            while entry := self._next_entry():
                yield entry.item, Outcome(self._results(entry))
                self._finish(entry)
            if self._items_error:
                raise self._items_error
        finally:
            with self._changed:
                self._stopped = True
                self._changed.notify_all()
            for thread in threads:
                # a thread that the exiting interpreter stops inside a C library can crash the process
                thread.join(_JOIN_SECONDS)

    # Methods of the threads.

    def _feed(self) -> None:
        """Take the items one after another and queue each for reading."""
        try:
            for item in self._items:
                entry: _Entry[Item, Piece, Result] = _Entry(item)
                with self._changed:
                    self._changed.wait_for(lambda: self._stopped or len(self._entries) < _MAX_ITEMS)
                    if self._stopped:
                        return
                    self._entries.append(entry)
                    if self._workers:
                        self._unread.append(entry)
                    self._changed.notify_all()
        except BaseException as error:  # raised later, by the iterating thread
            self._items_error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _read(self) -> None:
        """Read queued items one after another, as the buffer has room."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopped or self._unread or self._ended)
                if self._stopped or not self._unread:
                    return
                entry = self._unread.popleft()
            self._read_item(entry)

    def _read_item(self, entry: _Entry[Item, Piece, Result]) -> None:
        while not (self._stopped or entry.closed):
            self._read_piece(entry)
            with self._changed:
                self._changed.wait_for(lambda: self._stopped or entry.closed or self._has_room(entry))

    def _read_piece(self, entry: _Entry[Item, Piece, Result]) -> None:
        """Read the next piece of an item and add it to the pending ones."""
        try:
            if entry.pieces is None:
                entry.pieces = iter(self._split(entry.item))
            piece = next(entry.pieces)
            task = _Task(entry, entry.read, piece, self._size(piece))
        except BaseException as error:
            with self._changed:
                entry.error = None if isinstance(error, StopIteration) else error
                entry.closed = True
                self._changed.notify_all()
            return
        with self._changed:
            if self._stopped or entry.closed:
                return
            self._pending.append(task)
            entry.sizes.append(task.size)
            entry.read += 1
            self._buffered += task.size
            self._changed.notify_all()

    def _has_room(self, entry: _Entry[Item, Piece, Result]) -> bool:
        """Whether one more piece of the item may be read."""
        is_current = entry is self._entries[0]
        return self._buffered < self._max_buffered or (
            is_current and entry.read - entry.yielded < _MIN_LOOKAHEAD
        )

    # Methods of the iterating thread.

    def _next_entry(self) -> _Entry[Item, Piece, Result] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._entries or self._ended)
            return self._entries[0] if self._entries else None

    def _results(self, entry: _Entry[Item, Piece, Result]) -> Iterator[Result]:
        """Yield the results of the current item, computing batches until each is there."""
        while True:
            if not self._workers:
                self._read_here()
            with self._changed:
                self._changed.wait_for(
                    lambda: (
                        entry.yielded in entry.results
                        or self._unfinished
                        or self._pending
                        or self._is_exhausted(entry)
                    )
                )
                if entry.yielded in entry.results:
                    result = entry.results.pop(entry.yielded)
                    entry.yielded += 1
                    self._buffered -= entry.sizes.popleft()
                    self._changed.notify_all()
                    batch = []
                elif self._is_exhausted(entry):
                    break
                else:
                    batch = self._take_batch()
            if not batch:
                yield result
                continue
            self._run(batch)
        if isinstance(entry.error, SpiritLMError):
            raise entry.error
        if entry.error and is_out_of_memory(entry.error):
            raise self._compute.error() from None  # the cause's frames hold memory
        if entry.error:
            raise RuntimeError(f"reading {entry.item} failed") from entry.error

    def _run(self, batch: list[_Task[Item, Piece, Result]]) -> None:
        """Compute a batch, and store its results with their items."""
        results = self._compute([task.piece for task in batch])
        with self._changed:
            self._unfinished = []
            for task, result in zip(batch, results, strict=True):
                if result is None:
                    self._unfinished.append(task)
                else:
                    task.entry.results[task.index] = result

    def _read_here(self) -> None:
        """Read as many pieces as the buffer has room for, in this thread."""
        with self._changed:
            entries = list(self._entries)
        for entry in entries:
            while not entry.closed and self._has_room(entry):
                self._read_piece(entry)

    def _is_exhausted(self, entry: _Entry[Item, Piece, Result]) -> bool:
        return entry.closed and entry.yielded == entry.read

    def _take_batch(self) -> list[_Task[Item, Piece, Result]]:
        """Take the next batch from the pending tasks.

        It starts from the unfinished tasks, or if there are none from the first pending task of the first item. It is
        filled with the pending tasks closest in size, as long as max_batch allows.
        """
        batch = list(self._unfinished)
        if not batch:
            order = {id(entry): position for position, entry in enumerate(self._entries)}
            batch.append(min(self._pending, key=lambda task: (order[id(task.entry)], task.index)))
        first = batch[0]
        others = sorted((t for t in self._pending if t is not first), key=lambda t: abs(t.size - first.size))
        largest = max(task.size for task in batch)
        for task in others:
            largest = max(largest, task.size)
            if largest * (len(batch) + 1) > self._max_batch:
                break
            batch.append(task)
        taken = set(map(id, batch))
        self._pending = [task for task in self._pending if id(task) not in taken]
        return batch

    def _finish(self, entry: _Entry[Item, Piece, Result]) -> None:
        """Drop the item, whether or not all of its results were taken."""
        with self._changed:
            entry.closed = True
            self._buffered -= sum(entry.sizes)
            self._pending = [task for task in self._pending if task.entry is not entry]
            self._unfinished = [task for task in self._unfinished if task.entry is not entry]
            self._entries.popleft()
            self._changed.notify_all()
