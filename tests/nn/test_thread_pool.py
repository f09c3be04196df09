"""Work shared out among threads, each of which computes with one core."""

import threading
from collections.abc import Iterator

import pytest
import torch

from spiritlm_cli.nn.thread_pool import _pool, map_on_threads


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    _pool.cache_clear()
    yield request.param
    torch.set_num_threads(before)


def test_in_order_each_on_a_core_of_its_own(threads: int) -> None:
    all_here, second_done = threading.Barrier(threads), threading.Event()

    def work(item: int) -> tuple[int, int, bool, int]:
        all_here.wait(30)  # ends only if as many are at work at once
        if item == 0 and threads > 1:
            assert second_done.wait(30)  # so what comes first is done last
        torch.ones(1 << 20).sum()  # torch settles the number of threads when first it shares something out
        if item == 1:
            second_done.set()
        return item, torch.get_num_threads(), torch.is_inference_mode_enabled(), threading.get_ident()

    items, numbers, inferring, idents = zip(*map_on_threads(work, iter(range(4 * threads))), strict=True)
    assert items == tuple(range(4 * threads))
    assert set(numbers) == {1}
    assert set(inferring) == {True}
    assert len(set(idents)) == threads


def test_other_threads_keep_their_number(threads: int) -> None:
    map_on_threads(lambda item: item, range(5))
    found: list[int] = []
    other = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    other.start()
    other.join()
    assert [torch.get_num_threads(), *found] == [threads, threads]


def test_an_error_is_the_callers(threads: int) -> None:
    def work(item: int) -> int:
        if item == 3:
            raise ValueError("three")
        return item

    with pytest.raises(ValueError, match="three"):
        map_on_threads(work, range(100))
    assert map_on_threads(work, [1, 2]) == [1, 2]
    assert map_on_threads(work, []) == []


def test_a_thread_that_can_not_begin_leaves_none_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """With too many processes, say: an error, and not an interpreter that never ends."""
    start, begun = threading.Thread.start, []

    def start_two(thread: threading.Thread) -> None:
        if len(begun) == 2:
            raise RuntimeError("can't start new thread")
        begun.append(thread)
        start(thread)

    _pool.cache_clear()
    monkeypatch.setattr(threading.Thread, "start", start_two)
    before = torch.get_num_threads()
    with pytest.raises(RuntimeError, match="can't start"):
        _pool(3)
    monkeypatch.undo()
    torch.set_num_threads(before)
    for thread in begun:
        thread.join(10)
        assert not thread.is_alive()
