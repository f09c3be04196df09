"""Many items through a network, some at a time: read ahead by threads, packed by length, given back in order.

An item (a clip, a token line) is opened into pieces (windows of sound, of units); a batch is made of pieces of any
items. What is computed of a piece must not depend on the others in its batch: then neither does any answer depend on
how the batches fell out, which is as chance and the machine's speed have it.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from spiritlm_cli.errors import SpiritLMError

Item = TypeVar("Item")
Piece = TypeVar("Piece")
Result = TypeVar("Result")
T = TypeVar("T")
R = TypeVar("R")

# Items that wait for their turn or have been computed out of turn; what they hold is bounded by `ahead` as well.
_IN_FLIGHT = 1024
# Pieces that the item whose turn it is may be ahead of its consumer, whatever the others hold.
_OWN = 2
# Seconds for which the end waits for each thread.
_PATIENCE = 1.0


class Outcome(Generic[T]):
    """What an item became: its results, or the typed error in their place.

    Iterating yields the results as they are computed (the windows of a long clip, the samples of a prompt), and raises
    the SpiritLMError that the item failed with after the results before it. Results can be taken once; `result` keeps
    its answer.
    """

    def __init__(self, results: Iterable[T]) -> None:
        self._results = iter(results)
        self._kept: T | SpiritLMError | None = None

    @classmethod
    def of(cls, compute: Callable[[], T]) -> "Outcome[T]":
        """The outcome of a call that is made when its result is asked for."""
        return cls(compute() for _ in range(1))

    @classmethod
    def failure(cls, error: SpiritLMError) -> "Outcome[T]":
        """An outcome without results."""

        def fail() -> T:
            raise error

        return cls.of(fail)

    def __iter__(self) -> Iterator[T]:
        return self._results

    def result(self) -> T:
        """The only result. Raises the SpiritLMError in its place, and ValueError if there is not one result."""
        if self._kept is None:
            try:
                (self._kept,) = self._results
            except SpiritLMError as error:
                self._kept = error
        if isinstance(self._kept, SpiritLMError):
            raise self._kept
        return self._kept

    def map(self, function: Callable[[T], R]) -> "Outcome[R]":
        """The outcome with a function applied to each result; what the function raises is an error in its place."""
        return Outcome(map(function, self._results))


@dataclass(eq=False)
class _Entry(Generic[Item, Piece, Result]):
    """An item on its way. results: by place, of the pieces that have been computed and not been given back.

    source: its pieces that have not been read; read: how many have; given: how many results have been given back;
    closed: whether all pieces are read, or (error) reading them failed.
    """

    item: Item
    source: Iterator[Piece] | None = None
    results: dict[int, Result] = field(default_factory=dict)
    sizes: deque[float] = field(default_factory=deque)
    read: int = 0
    given: int = 0
    closed: bool = False
    error: BaseException | None = None


@dataclass(eq=False)
class _Waiting(Generic[Item, Piece, Result]):
    """A piece that has been read and not been computed, or not to its end."""

    entry: _Entry[Item, Piece, Result]
    place: int
    piece: Piece
    size: float


class Batches(Generic[Item, Piece, Result]):
    """Iterate over (item, outcome) in the order of the items; the outcome yields the results of the item's pieces.

    It raises the SpiritLMError that `pieces` raised, in its place; other items are not affected. Results that were not
    taken when the next item is asked for are lost. An error of `items` itself is raised after all items before it.
    """

    def __init__(
        self,
        items: Iterable[Item],
        pieces: Callable[[Item], Iterable[Piece]],
        work: Callable[[Sequence[Piece]], Sequence[Result | None]],
        *,
        size: Callable[[Piece], float],
        budget: float,
        ahead: float | None = None,
        workers: int = 1,
    ) -> None:
        """pieces: of an item, and may be lazy; called in one of `workers` threads, or where those are 0, because it
        is no waiting but work, in the thread that iterates. work: of a batch, called in that thread; where it gives
        None for a piece, that is not finished, and in the next batch too, with others in the finished ones' places.
        size: of a piece, seconds as a rule; a batch is of one piece, or of so many that their number times the
        longest is within `budget`. ahead: sizes in all that may be read or computed before their turn (None: four
        times the budget).
        """
        self._items, self._pieces, self._work, self._size = items, pieces, work, size
        self._budget = budget
        self._ahead = 4 * budget if ahead is None else ahead
        self._workers = workers
        self._changed = threading.Condition()
        self._entries: deque[_Entry[Item, Piece, Result]] = deque()
        self._unread: deque[_Entry[Item, Piece, Result]] = deque()
        self._waiting: list[_Waiting[Item, Piece, Result]] = []
        self._begun: list[_Waiting[Item, Piece, Result]] = []
        self._held = 0.0
        self._ended = False
        self._stopped = False
        self._failure: BaseException | None = None

    def __iter__(self) -> Iterator[tuple[Item, Outcome[Result]]]:
        # Daemons, because nothing wakes a thread that waits for a line on stdin, and a program that ends with an
        # error waits for none.
        threads = [threading.Thread(target=self._feed, name="feeder", daemon=True)]
        threads += [
            threading.Thread(target=self._read, name="reader", daemon=True) for _ in range(self._workers)
        ]
        for thread in threads:
            thread.start()
        try:
            while entry := self._next_entry():
                yield entry.item, Outcome(self._results(entry))
                self._drop(entry)
            if self._failure:
                raise self._failure
        finally:
            with self._changed:
                self._stopped = True
                self._changed.notify_all()
            for thread in threads:
                # one that is cut down by the program's end in the midst of a library's work can take it along
                thread.join(_PATIENCE)

    # What the threads do.

    def _feed(self) -> None:
        """Take the items one after another, and have each read."""
        try:
            for item in self._items:
                entry: _Entry[Item, Piece, Result] = _Entry(item)
                with self._changed:
                    self._changed.wait_for(lambda: self._stopped or len(self._entries) < _IN_FLIGHT)
                    if self._stopped:
                        return
                    self._entries.append(entry)
                    if self._workers:
                        self._unread.append(entry)
                    self._changed.notify_all()
        except BaseException as error:  # whatever it is, it is raised where the items are asked for
            self._failure = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _read(self) -> None:
        """Read one item after another, each as fast as there is room for its pieces."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopped or self._unread or self._ended)
                if self._stopped or not self._unread:
                    return
                entry = self._unread.popleft()
            self._read_all(entry)

    def _read_all(self, entry: _Entry[Item, Piece, Result]) -> None:
        while not (self._stopped or entry.closed):
            self._read_piece(entry)
            with self._changed:
                self._changed.wait_for(lambda: self._stopped or entry.closed or self._room(entry))

    def _read_piece(self, entry: _Entry[Item, Piece, Result]) -> None:
        """Read one piece more, and put it with those that wait."""
        try:
            if entry.source is None:
                entry.source = iter(self._pieces(entry.item))
            piece = next(entry.source)
            waiting = _Waiting(entry, entry.read, piece, self._size(piece))
        except BaseException as error:
            with self._changed:
                entry.error = None if isinstance(error, StopIteration) else error
                entry.closed = True
                self._changed.notify_all()
            return
        with self._changed:
            if self._stopped or entry.closed:
                return
            self._waiting.append(waiting)
            entry.sizes.append(waiting.size)
            entry.read += 1
            self._held += waiting.size
            self._changed.notify_all()

    def _room(self, entry: _Entry[Item, Piece, Result]) -> bool:
        """Whether one piece more of it may be read."""
        return self._held < self._ahead or (entry is self._entries[0] and entry.read - entry.given < _OWN)

    # What the thread does that iterates.

    def _next_entry(self) -> _Entry[Item, Piece, Result] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._entries or self._ended)
            return self._entries[0] if self._entries else None

    def _results(self, entry: _Entry[Item, Piece, Result]) -> Iterator[Result]:
        while True:
            if not self._workers:
                self._read_here()
            with self._changed:
                self._changed.wait_for(
                    lambda: (
                        entry.given in entry.results or self._begun or self._waiting or self._exhausted(entry)
                    )
                )
                if entry.given in entry.results:
                    result = entry.results.pop(entry.given)
                    entry.given += 1
                    self._held -= entry.sizes.popleft()
                    self._changed.notify_all()
                    batch = []
                elif self._exhausted(entry):
                    break
                else:
                    batch = self._take_batch()
            if not batch:
                yield result
                continue
            results = self._work([waiting.piece for waiting in batch])
            with self._changed:
                self._begun = []
                for waiting, found in zip(batch, results, strict=True):
                    if found is None:
                        self._begun.append(waiting)
                    else:
                        waiting.entry.results[waiting.place] = found
        if isinstance(entry.error, SpiritLMError):
            raise entry.error
        if entry.error:
            raise RuntimeError(f"reading {entry.item} failed") from entry.error

    def _read_here(self) -> None:
        """Read in this thread what there is room for."""
        with self._changed:
            entries = list(self._entries)
        for entry in entries:
            while not entry.closed and self._room(entry):
                self._read_piece(entry)

    def _exhausted(self, entry: _Entry[Item, Piece, Result]) -> bool:
        return entry.closed and entry.given == entry.read

    def _take_batch(self) -> list[_Waiting[Item, Piece, Result]]:
        """The pieces that are not finished; or else the one that has waited longest of those whose item comes first.
        With them those next to it in length, where there is room."""
        batch = list(self._begun)
        if not batch:
            order = {id(entry): place for place, entry in enumerate(self._entries)}
            batch.append(min(self._waiting, key=lambda waiting: (order[id(waiting.entry)], waiting.place)))
        first = batch[0]
        rest = sorted((w for w in self._waiting if w is not first), key=lambda w: abs(w.size - first.size))
        longest = max(waiting.size for waiting in batch)
        for waiting in rest:
            longest = max(longest, waiting.size)
            if longest * (len(batch) + 1) > self._budget:
                break
            batch.append(waiting)
        taken = set(map(id, batch))
        self._waiting = [waiting for waiting in self._waiting if id(waiting) not in taken]
        return batch

    def _drop(self, entry: _Entry[Item, Piece, Result]) -> None:
        """The item is done with, whether or not all of it was asked for."""
        with self._changed:
            entry.closed = True
            self._held -= sum(entry.sizes)
            self._waiting = [waiting for waiting in self._waiting if waiting.entry is not entry]
            self._begun = [waiting for waiting in self._begun if waiting.entry is not entry]
            self._entries.popleft()
            self._changed.notify_all()
