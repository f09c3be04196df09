"""Order, bounds and errors of the scheduler, with work that says in which company a piece was."""

import threading
import weakref
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spiritlm_cli.batching import Batches, Outcome
from spiritlm_cli.errors import AudioError, TokenError

SIZES = st.lists(st.lists(st.integers(1, 9), max_size=5), max_size=12)


def pieces(item: list[int]) -> Iterator[int]:
    yield from item


def doubled(batch: list[int]) -> list[int]:
    return [2 * piece for piece in batch]


@given(
    items=SIZES, budget=st.integers(0, 30), ahead=st.none() | st.integers(0, 60), workers=st.integers(0, 3)
)
@settings(deadline=None, max_examples=60)
def test_results_are_in_order_whatever_the_batches(items, budget, ahead, workers) -> None:
    batches = Batches(items, pieces, doubled, size=float, budget=budget, ahead=ahead, workers=workers)
    found = [(item, list(results)) for item, results in batches]
    assert found == [(item, doubled(item)) for item in items]


@given(items=SIZES, budget=st.integers(0, 30))
@settings(deadline=None, max_examples=60)
def test_a_batch_is_within_its_budget_or_of_one_piece(items, budget) -> None:
    seen: list[list[int]] = []

    def work(batch: list[int]) -> list[int]:
        seen.append(list(batch))
        return batch

    for _, results in Batches(items, pieces, work, size=float, budget=budget):
        list(results)
    assert sorted(piece for batch in seen for piece in batch) == sorted(
        piece for item in items for piece in item
    )
    assert all(len(batch) == 1 or max(batch) * len(batch) <= budget for batch in seen)


def test_neighbours_in_length_go_together() -> None:
    seen: list[list[int]] = []
    read = threading.Event()

    def opened(item: int) -> list[int]:
        if item == 3:
            read.set()
        return [item]

    def work(batch: list[int]) -> list[int]:
        read.wait(10)  # so that all have been read before the second batch is made
        seen.append(sorted(batch))
        return batch

    items = [18, 9, 1, 8, 2, 9, 3]
    assert [
        next(iter(results)) for _, results in Batches(items, opened, work, size=float, budget=18, ahead=99)
    ] == items
    assert seen == [[18], [9, 9], [1, 2, 3], [8]]


def test_an_error_is_raised_in_its_item_s_place() -> None:
    def opened(item: int) -> Iterator[int]:
        yield item
        if item == 2:
            raise AudioError("broken")
        yield item

    found = []
    for item, results in Batches([1, 2, 3], opened, doubled, size=float, budget=4):
        try:
            found.append((item, list(results)))
        except AudioError as error:
            found.append((item, str(error)))
    assert found == [(1, [2, 2]), (2, "broken"), (3, [6, 6])]


def test_an_error_of_the_items_comes_after_those_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise AudioError("no more")

    batches = iter(Batches(items(), lambda item: [item], doubled, size=float, budget=4))
    _, results = next(batches)
    assert list(results) == [2]
    with pytest.raises(AudioError, match="no more"):
        next(batches)


def test_an_error_that_is_nobody_s_fault_is_not_taken_for_one() -> None:
    def opened(item: int) -> list[int]:
        raise KeyError(item)

    _, results = next(iter(Batches([1], opened, doubled, size=float, budget=4)))
    with pytest.raises(RuntimeError, match="reading 1 failed"):
        next(iter(results))


def test_what_is_not_asked_for_is_left() -> None:
    found = []
    for item, results in Batches([[1, 1, 1], [2, 2], [3]], pieces, doubled, size=float, budget=1):
        found.append((item[0], next(iter(results))))
    assert found == [(1, 2), (2, 4), (3, 6)]


def test_reading_stays_a_bounded_way_ahead() -> None:
    read, most = 0, 0
    given_back = 0

    def opened(item: int) -> Iterator[int]:
        nonlocal read, most
        for _ in range(10):
            read += 1
            most = max(most, read - given_back)
            yield 1

    for _, results in Batches(range(20), opened, doubled, size=float, budget=4, ahead=8, workers=3):
        for _ in results:
            given_back += 1
    assert read == given_back == 200
    # what is held, and a piece or two that each reader has in its hands
    assert most <= 8 + 2 * 3 + 1


def test_it_can_be_left_in_the_middle() -> None:
    def opened(item: int) -> Iterator[int]:
        while True:
            yield item

    for _, results in Batches([1, 2], opened, doubled, size=float, budget=4):
        assert next(iter(results)) == 2
        break
    deadline = 50
    while any(thread.name.startswith("reader") for thread in threading.enumerate()) and deadline:
        threading.Event().wait(0.1)
        deadline -= 1
    assert deadline, "a reader is still there"


class Steps:
    """A piece that takes so many steps."""

    def __init__(self, steps: int) -> None:
        self.steps, self.left = steps, steps


@given(items=SIZES, budget=st.integers(1, 5))
@settings(deadline=None, max_examples=60)
def test_what_is_not_finished_goes_on_and_others_take_the_finished_ones_places(items, budget) -> None:
    batches: list[list[Steps]] = []
    unfinished: set[Steps] = set()

    def step(batch: list[Steps]) -> list[int | None]:
        assert unfinished <= {*batch}, "what has begun has its place"
        batches.append(list(batch))
        for piece in batch:
            piece.left -= 1
        unfinished.clear()
        unfinished.update(piece for piece in batch if piece.left)
        return [None if piece.left else piece.steps for piece in batch]

    work = Batches(
        items, lambda item: map(Steps, item), step, size=lambda _: 1.0, budget=budget, ahead=100, workers=0
    )
    assert [(item, list(results)) for item, results in work] == [(item, item) for item in items]
    assert all(len(batch) <= budget for batch in batches)
    assert sum(map(len, batches)) == sum(map(sum, items)), "nothing is done twice, or after its end"


def test_a_long_piece_does_not_hold_up_the_others() -> None:
    order: list[int] = []
    read = threading.Event()

    def opened(item: int) -> list[Steps]:
        if item == 7:
            read.set()
        return [Steps(item)]

    def step(batch: list[Steps]) -> list[int | None]:
        assert read.wait(5), "all are there before the first step is taken"
        for piece in batch:
            piece.left -= 1
        order.extend(piece.steps for piece in batch if not piece.left)
        return [None if piece.left else piece.steps for piece in batch]

    items = [50, 1, 2, 3, 4, 5, 6, 7]
    work = Batches(items, opened, step, size=lambda _: 1.0, budget=2, ahead=100, workers=1)
    assert [(item, *results) for item, results in work] == [(item, item) for item in items]
    assert order == [1, 2, 3, 4, 5, 6, 7, 50]


@pytest.mark.parametrize("workers", [0, 2])
def test_nothing_is_held_of_items_that_are_done_with(workers: int) -> None:
    items: weakref.WeakSet[Steps] = weakref.WeakSet()

    def made() -> Iterator[Steps]:
        for _ in range(300):
            item = Steps(1)
            items.add(item)
            yield item

    most = 0
    batches = Batches(
        made(), lambda item: [item.steps], doubled, size=float, budget=2, ahead=4, workers=workers
    )
    for number, (_, results) in enumerate(batches):
        list(results)
        if number == 250:
            most = len(items)
    # those before have been let go; those after may have been taken already
    assert 0 < most < 60


def test_outcome_result_is_computed_once_and_kept():
    calls = []
    outcome = Outcome.of(lambda: calls.append(1) or len(calls))
    assert (outcome.result(), outcome.result(), calls) == (1, 1, [1])


def test_outcome_raises_its_error_each_time_and_through_map():
    outcome = Outcome.failure(TokenError("bad")).map(lambda value: value)
    for _ in range(2):
        with pytest.raises(TokenError, match="bad"):
            outcome.result()


def test_outcome_result_of_several_results_is_an_error():
    assert list(Outcome([1, 2]).map(lambda value: 2 * value)) == [2, 4]
    with pytest.raises(ValueError, match="unpack"):
        Outcome([1, 2]).result()
