"""Too little memory: what libraries say, and batches that get smaller."""

import re
from collections.abc import Sequence

import pytest
import torch

from spiritlm_cli.errors import OutOfMemoryError
from spiritlm_cli.out_of_memory import MemoryBoundCompute, is_out_of_memory


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), True),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:128] DefaultCPUAllocator: can't allocate memory"),
            True,
        ),
        (RuntimeError("MPS backend out of memory (MPS allocated: 4.00 GB)"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("could not create a primitive"), True),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("unable to mmap 4096 bytes from file <x>: Cannot allocate memory (12)"), True),
        (OSError(12, "Cannot allocate memory"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (OSError(2, "No such file or directory"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_is_out_of_memory(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


class Limited:
    """Doubles numbers, at most `room` of them at a time."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.calls: list[int] = []

    def __call__(self, pieces: Sequence[int]) -> list[int]:
        self.calls.append(len(pieces))
        if len(pieces) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return [2 * piece for piece in pieces]


@pytest.mark.parametrize("room", [1, 2, 3, 7, 8, 100])
def test_memory_bound_compute_halves_batches_that_do_not_fit(
    room: int, caplog: pytest.LogCaptureFixture
) -> None:
    limited = Limited(room)
    compute = MemoryBoundCompute(limited, "lower --batch-seconds")
    for size in (8, 8, 3, 1, 0):
        assert compute(range(size)) == [2 * n for n in range(size)]
    failed = [size for size in limited.calls if size > room]
    assert failed == [size for size in (8, 4, 2) if size > room], "a size is tried once"


def test_memory_bound_compute_names_the_remedy() -> None:
    with pytest.raises(
        OutOfMemoryError, match=re.escape("there is too little memory; lower --batch-seconds")
    ):
        MemoryBoundCompute(Limited(0), "lower --batch-seconds")(range(8))


def test_memory_bound_compute_raises_other_errors() -> None:
    with pytest.raises(TypeError):
        MemoryBoundCompute(Limited(9), "")([None])  # type: ignore[list-item]


def test_memory_bound_compute_releases_what_has_to_wait() -> None:
    """Unfinished pieces hold memory; those after the first that fit give theirs up and come later."""
    released: list[int] = []
    compute = MemoryBoundCompute(Limited(2), "", released.append)
    assert compute(range(8)) == [0, 2, *[None] * 6]
    assert released == [4, 5, 6, 7, 2, 3, 4, 5, 6, 7]
    assert compute(range(2, 5)) == [4, 6, None]
