"""Order, bounds and errors of the scheduler, with batch functions that record their batches."""

import threading
import weakref
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spiritlm_cli.batching import BatchScheduler
from spiritlm_cli.errors import AudioError, OutOfMemoryError

SIZES = st.lists(st.lists(st.integers(1, 9), max_size=5), max_size=12)


def pieces(item: list[int]) -> Iterator[int]:
    yield from item


def double(batch: list[int]) -> list[int]:
    return [2 * piece for piece in batch]


@given(
    items=SIZES,
    max_batch=st.integers(0, 30),
    max_buffered=st.none() | st.integers(0, 60),
    workers=st.integers(0, 3),
)
@settings(deadline=None, max_examples=60)
def test_results_are_in_order(items, max_batch, max_buffered, workers) -> None:
    scheduler = BatchScheduler(
        items, pieces, double, size=float, max_batch=max_batch, max_buffered=max_buffered, workers=workers
    )
    results_by_item = [(item, list(results)) for item, results in scheduler]
    assert results_by_item == [(item, double(item)) for item in items]


@given(items=SIZES, max_batch=st.integers(0, 30))
@settings(deadline=None, max_examples=60)
def test_batch_stays_within_max_batch_or_holds_one_piece(items, max_batch) -> None:
    seen: list[list[int]] = []

    def compute(batch: list[int]) -> list[int]:
        seen.append(list(batch))
        return batch

    for _, results in BatchScheduler(items, pieces, compute, size=float, max_batch=max_batch):
        list(results)
    assert sorted(piece for batch in seen for piece in batch) == sorted(
        piece for item in items for piece in item
    )
    assert all(len(batch) == 1 or max(batch) * len(batch) <= max_batch for batch in seen)


def test_batch_holds_pieces_of_similar_size() -> None:
    seen: list[list[int]] = []
    read = threading.Event()

    def split(item: int) -> list[int]:
        if item == 3:
            read.set()
        return [item]

    def compute(batch: list[int]) -> list[int]:
        read.wait(10)  # all items are read before the second batch is packed
        seen.append(sorted(batch))
        return batch

    items = [18, 9, 1, 8, 2, 9, 3]
    assert [
        next(iter(results))
        for _, results in BatchScheduler(items, split, compute, size=float, max_batch=18, max_buffered=99)
    ] == items
    assert seen == [[18], [9, 9], [1, 2, 3], [8]]


def test_split_error_is_raised_by_its_item_only() -> None:
    def split(item: int) -> Iterator[int]:
        yield item
        if item == 2:
            raise AudioError("broken")
        yield item

    results_by_item = []
    for item, results in BatchScheduler([1, 2, 3], split, double, size=float, max_batch=4):
        try:
            results_by_item.append((item, list(results)))
        except AudioError as error:
            results_by_item.append((item, str(error)))
    assert results_by_item == [(1, [2, 2]), (2, "broken"), (3, [6, 6])]


def test_items_error_is_raised_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise AudioError("no more")

    scheduler = iter(BatchScheduler(items(), lambda item: [item], double, size=float, max_batch=4))
    _, results = next(scheduler)
    assert list(results) == [2]
    with pytest.raises(AudioError, match="no more"):
        next(scheduler)


def test_unexpected_split_error_becomes_a_runtime_error() -> None:
    def split(item: int) -> list[int]:
        raise KeyError(item)

    _, results = next(iter(BatchScheduler([1], split, double, size=float, max_batch=4)))
    with pytest.raises(RuntimeError, match="reading 1 failed"):
        next(iter(results))


def test_untaken_results_are_dropped() -> None:
    results_by_item = []
    for item, results in BatchScheduler([[1, 1, 1], [2, 2], [3]], pieces, double, size=float, max_batch=1):
        results_by_item.append((item[0], next(iter(results))))
    assert results_by_item == [(1, 2), (2, 4), (3, 6)]


def test_read_ahead_is_bounded() -> None:
    read, most = 0, 0
    given_back = 0

    def split(item: int) -> Iterator[int]:
        nonlocal read, most
        for _ in range(10):
            read += 1
            most = max(most, read - given_back)
            yield 1

    for _, results in BatchScheduler(
        range(20), split, double, size=float, max_batch=4, max_buffered=8, workers=3
    ):
        for _ in results:
            given_back += 1
    assert read == given_back == 200
    # the buffer, and up to two pieces in progress in each reader
    assert most <= 8 + 2 * 3 + 1


def test_iteration_can_stop_early() -> None:
    def split(item: int) -> Iterator[int]:
        while True:
            yield item

    for _, results in BatchScheduler([1, 2], split, double, size=float, max_batch=4):
        assert next(iter(results)) == 2
        break
    deadline = 50
    while any(thread.name.startswith("reader") for thread in threading.enumerate()) and deadline:
        threading.Event().wait(0.1)
        deadline -= 1
    assert deadline, "a reader is still there"


class Steps:
    """A piece that takes `steps` batches to finish."""

    def __init__(self, steps: int) -> None:
        self.steps, self.left = steps, steps


@given(items=SIZES, max_batch=st.integers(1, 5))
@settings(deadline=None, max_examples=60)
def test_unfinished_pieces_stay_in_the_batch(items, max_batch) -> None:
    batches: list[list[Steps]] = []
    unfinished: set[Steps] = set()

    def step(batch: list[Steps]) -> list[int | None]:
        assert unfinished <= {*batch}, "an unfinished piece is in the next batch"
        batches.append(list(batch))
        for piece in batch:
            piece.left -= 1
        unfinished.clear()
        unfinished.update(piece for piece in batch if piece.left)
        return [None if piece.left else piece.steps for piece in batch]

    scheduler = BatchScheduler(
        items,
        lambda item: map(Steps, item),
        step,
        size=lambda _: 1.0,
        max_batch=max_batch,
        max_buffered=100,
        workers=0,
    )
    assert [(item, list(results)) for item, results in scheduler] == [(item, item) for item in items]
    assert all(len(batch) <= max_batch for batch in batches)
    assert sum(map(len, batches)) == sum(map(sum, items)), "no step is repeated, and none follows the last"


def test_long_piece_does_not_block_others() -> None:
    order: list[int] = []
    read = threading.Event()

    def split(item: int) -> list[Steps]:
        if item == 7:
            read.set()
        return [Steps(item)]

    def step(batch: list[Steps]) -> list[int | None]:
        assert read.wait(5), "all items are read before the first step"
        for piece in batch:
            piece.left -= 1
        order.extend(piece.steps for piece in batch if not piece.left)
        return [None if piece.left else piece.steps for piece in batch]

    items = [50, 1, 2, 3, 4, 5, 6, 7]
    scheduler = BatchScheduler(
        items, split, step, size=lambda _: 1.0, max_batch=2, max_buffered=100, workers=1
    )
    assert [(item, *results) for item, results in scheduler] == [(item, item) for item in items]
    assert order == [1, 2, 3, 4, 5, 6, 7, 50]


@pytest.mark.parametrize("workers", [0, 2])
def test_finished_items_are_released(workers: int) -> None:
    items: weakref.WeakSet[Steps] = weakref.WeakSet()

    def new_items() -> Iterator[Steps]:
        for _ in range(300):
            item = Steps(1)
            items.add(item)
            yield item

    most = 0
    scheduler = BatchScheduler(
        new_items(),
        lambda item: [item.steps],
        double,
        size=float,
        max_batch=2,
        max_buffered=4,
        workers=workers,
    )
    for index, (_, results) in enumerate(scheduler):
        list(results)
        if index == 250:
            most = len(items)
    # earlier items are released; some later ones have been read already
    assert 0 < most < 60


def test_batch_that_does_not_fit_into_memory_is_computed_in_parts() -> None:
    seen: list[int] = []

    def compute(batch: list[int]) -> list[int]:
        seen.append(len(batch))
        if len(batch) > 2:
            raise MemoryError
        return double(batch)

    items = [[1], [2, 3], [4, 5, 6], [7] * 9]
    scheduler = BatchScheduler(items, pieces, compute, size=lambda _: 1, max_batch=6)
    assert [list(results) for _, results in scheduler] == [double(item) for item in items]
    assert max(seen) <= 6


@pytest.mark.parametrize("workers", [0, 1])
def test_pieces_for_which_there_is_no_memory_to_read_them_fail_alone(workers: int) -> None:
    def split(item: int) -> list[int]:
        if item == 1:
            raise MemoryError
        return [item]

    scheduler = BatchScheduler(
        range(3), split, double, size=float, max_batch=9, workers=workers, memory_advice="lower --batch-size"
    )
    failed = []
    for item, results in scheduler:
        try:
            assert list(results) == [2 * item]
        except OutOfMemoryError as error:
            failed.append((item, str(error)))
    assert failed == [(1, "there is too little memory; lower --batch-size")]
