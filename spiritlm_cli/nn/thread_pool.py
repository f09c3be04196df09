"""Work shared out among a CPU's cores, each of which computes one thing by itself."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from threading import Barrier
from typing import TypeVar

import torch

T = TypeVar("T")
Made = TypeVar("Made")


def map_on_threads(work: Callable[[T], Made], items: Iterable[T]) -> list[Made]:
    """`work`, which infers with torch, of each item, on as many at a time as torch has threads.

    A core that has a thing to itself keeps it in its own cache, and waits for no other. What is computed does not
    depend on the number of threads: oneDNN sums in another order where it shares a product out among some. Nothing that
    torch sets for a thread alone, such as autocast, reaches the others.
    """
    threads = torch.get_num_threads()

    def infer(item: T) -> Made:
        with torch.inference_mode():  # which each thread has its own
            return work(item)

    # what counts or records torch's calls does so in its own thread
    here = threads == 1 or torch._C._len_torch_dispatch_stack()
    return list(map(infer, items) if here else _pool(threads).map(infer, items))


@lru_cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Threads of which torch takes each for the only one."""
    pool, all_here = ThreadPoolExecutor(threads, thread_name_prefix="core"), Barrier(threads)

    def begin(_: int) -> None:
        torch.get_num_threads()  # a thread begins with the others' number when first it is needed, if only then
        torch.set_num_threads(1)
        all_here.wait()

    try:
        list(pool.map(begin, range(threads)))
    except BaseException:
        # a thread that could not begin leaves the others waiting, and the interpreter would wait for them
        all_here.abort()
        pool.shutdown(wait=False)
        raise
    finally:
        # It is a thread's own setting, but also what threads begin with that come later.
        torch.set_num_threads(threads)
    return pool
