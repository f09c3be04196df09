"""Inference in threads with one core each."""

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


def test_map_on_threads_is_in_order_with_one_core_per_thread(threads: int) -> None:
    all_here, second_done = threading.Barrier(threads), threading.Event()

    def work(item: int) -> tuple[int, int, bool, int]:
        all_here.wait(30)  # Returns only if all threads work at the same time.
        if item == 0 and threads > 1:
            assert second_done.wait(30)  # The first item is finished last.
        torch.ones(1 << 20).sum()  # torch applies its number of threads at the first parallel operation.
        if item == 1:
            second_done.set()
        return item, torch.get_num_threads(), torch.is_inference_mode_enabled(), threading.get_ident()

    items, numbers, inferring, idents = zip(*map_on_threads(work, iter(range(4 * threads))), strict=True)
    assert items == tuple(range(4 * threads))
    assert set(numbers) == {1}
    assert set(inferring) == {True}
    assert len(set(idents)) == threads


def test_map_on_threads_leaves_the_setting_of_other_threads(threads: int) -> None:
    map_on_threads(lambda item: item, range(5))
    numbers: list[int] = []
    other = threading.Thread(target=lambda: numbers.append(torch.get_num_threads()))
    other.start()
    other.join()
    assert [torch.get_num_threads(), *numbers] == [threads, threads]


def test_map_on_threads_raises_errors(threads: int) -> None:
    def work(item: int) -> int:
        if item == 3:
            raise ValueError("three")
        return item

    with pytest.raises(ValueError, match="three"):
        map_on_threads(work, range(100))
    assert map_on_threads(work, [1, 2]) == [1, 2]
    assert map_on_threads(work, []) == []


def test_pool_raises_if_a_thread_can_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with too many processes: an error, and no threads that wait forever."""
    start, started = threading.Thread.start, []

    def start_two(thread: threading.Thread) -> None:
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    _pool.cache_clear()
    monkeypatch.setattr(threading.Thread, "start", start_two)
    before = torch.get_num_threads()
    with pytest.raises(RuntimeError, match="can't start"):
        _pool(3)
    monkeypatch.undo()
    torch.set_num_threads(before)
    for thread in started:
        thread.join(10)
        assert not thread.is_alive()
