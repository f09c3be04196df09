from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from spiritlm_cli.distributed.messages import ERRORS, Codec
from spiritlm_cli.distributed.worker import MAX_ATTEMPTS, Row, Worker, WorkerSetup
from spiritlm_cli.errors import CheckpointError, SpiritLMError, TokenError
from spiritlm_cli.outcome import Outcome

NUMBERS: Codec[int] = Codec(lambda number: b"%d" % number, int)
Function = Callable[[Iterable[int]], Iterator[tuple[int, Outcome[int]]]]


@dataclass(frozen=True)
class Countdown:
    """Counts each number down to 1. A negative number is an error after its first result; 99 ends the run."""

    missing: bool = False

    @contextmanager
    def load(self) -> Iterator[Function]:
        if self.missing:
            raise CheckpointError("gone: no such file")
        yield self.compute

    def compute(self, numbers: Iterable[int]) -> Iterator[tuple[int, Outcome[int]]]:
        for number in numbers:
            if number == 99:
                raise SpiritLMError("out of memory")
            yield number, Outcome(self.results(number))

    def results(self, number: int) -> Iterator[int]:
        if number < 0:
            yield number
            raise TokenError(f"{number}: negative")
        yield from range(number, 0, -1)


def rows(numbers: list[int], computation: Countdown = Countdown(), attempt: int = 1) -> list[Row]:
    """The rows of a task."""
    setup = WorkerSetup(computation, NUMBERS, NUMBERS, str, str(Path.cwd()), torch.get_num_threads())
    return list(Worker(setup, None).compute(numbers, attempt))


def error(row: Row) -> tuple[type[SpiritLMError], str]:
    """The type and the message of a row's error."""
    assert row.error is not None
    decoded = ERRORS.decode(row.error)
    return type(decoded), str(decoded)


def test_compute_keeps_results_before_an_error() -> None:
    first, second, third = rows([2, -1, 3])
    assert (first, third) == (Row([b"2", b"1"]), Row([b"3", b"2", b"1"]))
    assert (second.results, second.fatal, error(second)) == ([b"-1"], False, (TokenError, "-1: negative"))


def test_load_error_is_fatal_for_all_items() -> None:
    for row in rows([1, 2], Countdown(missing=True)):
        assert (row.results, row.fatal, error(row)) == ([], True, (CheckpointError, "gone: no such file"))


def test_error_of_the_computation_is_fatal_from_there_on() -> None:
    first, *others = rows([1, 99, 1])
    assert first == Row([b"1"])
    assert [(row.fatal, error(row)) for row in others] == [(True, (SpiritLMError, "out of memory"))] * 2


@pytest.mark.parametrize("attempt", [MAX_ATTEMPTS, MAX_ATTEMPTS + 1])
def test_too_many_attempts_name_the_inputs(attempt: int) -> None:
    first, second = rows([1, 2], attempt=attempt)
    if attempt == MAX_ATTEMPTS:
        assert (first.error, second.error) == (None, None)
    else:
        assert (first.fatal, second.fatal) == (True, True)
        assert "6 workers were lost while they computed the inputs from 1 to 2" in error(first)[1]
