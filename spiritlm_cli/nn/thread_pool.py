"""Inference on several items at once, each in a thread of its own, on one core."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from threading import Barrier
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")


def map_on_threads(infer: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Return `infer(item)` for each item, in order, on as many threads at a time as torch has.

    infer: called in inference mode, with torch set to one thread. Thread-local settings, such as autocast, don't
    apply to it.

    A thread that has an item to itself keeps it in its core's cache and waits for no other thread. Results don't depend
    on the number of threads: oneDNN would sum in another order if it split one product among several.
    """
    threads = torch.get_num_threads()

    def infer_in_thread(item: T) -> R:
        with torch.inference_mode():  # a thread-local setting
            return infer(item)

    # Tools that count or record torch's calls see only those of their own thread.
    sequential = threads == 1 or torch._C._len_torch_dispatch_stack()
    return list(map(infer_in_thread, items) if sequential else _pool(threads).map(infer_in_thread, items))


@lru_cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Return a pool of threads in each of which torch uses one thread."""
    pool, all_started = ThreadPoolExecutor(threads, thread_name_prefix="inference"), Barrier(threads)

    def start(_: int) -> None:
        # torch gives a new thread its default number of threads at the first use; afterwards the setting stays.
        torch.get_num_threads()
        torch.set_num_threads(1)
        all_started.wait()

    try:
        list(pool.map(start, range(threads)))
    except BaseException:
        # If a thread can't start, the others would wait for it, and the interpreter for them at exit.
        all_started.abort()
        pool.shutdown(wait=False)
        raise
    finally:
        # The setting is thread-local, but also the default of threads that start later.
        torch.set_num_threads(threads)
    return pool
