"""What runs on the machines of the cluster: processes that load the models once and compute task after task."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from spiritlm_cli.distributed.messages import ERRORS, Codec
from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.outcome import Outcome

if TYPE_CHECKING:
    import pyarrow as pa

Item = TypeVar("Item")
Result = TypeVar("Result")
Function = Callable[[Iterable[Item]], Iterable[tuple[Item, Outcome[Result]]]]

# Ray would begin a task again without end, but one of its inputs may be what kills the worker.
MAX_ATTEMPTS = 6


class Computation(Protocol[Item, Result]):
    """What workers compute. It is pickled, so it holds settings, not models."""

    def load(self) -> AbstractContextManager[Function[Item, Result]]:
        """Load the models, and release them at the end of the block.

        The function yields (item, outcome) in the order of the items, and may be called many times.
        """
        ...


@dataclass(frozen=True)
class WorkerSetup(Generic[Item, Result]):
    """What every worker is started with.

    folder: the driver's, which relative paths begin from; cpus: number of threads for the networks; item_name: the name
    of an item in messages.
    """

    computation: Computation[Item, Result]
    item_codec: Codec[Item]
    result_codec: Codec[Result]
    item_name: Callable[[Item], str]
    folder: str
    cpus: int


class AttemptCounter:
    """An actor that counts how often each task was begun."""

    def __init__(self) -> None:
        self._attempts: Counter[int] = Counter()

    def begin(self, task: int) -> int:
        """Count an attempt. task: index of the task's first item. Returns the number of attempts, this one included."""
        self._attempts[task] += 1
        return self._attempts[task]


@dataclass(frozen=True)
class Row:
    """The encoded results of an item, and the error after them. fatal: the error is not the item's and ends the run."""

    results: list[bytes]
    error: bytes | None = None
    fatal: bool = False


class Worker(Generic[Item, Result]):
    """An actor that loads a computation and applies it to tables of items."""

    def __init__(self, setup: WorkerSetup[Item, Result], attempts: Any) -> None:
        """attempts: the handle of the AttemptCounter."""
        import torch

        # Errors name files as the user did. If this machine has no such folder, it has no such files either.
        with suppress(OSError):
            os.chdir(setup.folder)
        torch.set_num_threads(setup.cpus)
        self._setup, self._attempts = setup, attempts
        self._load_error: SpiritLMError | None = None
        # Kept: the block ends when the process does.
        self._loaded = setup.computation.load()
        try:
            self._function = self._loaded.__enter__()
        except SpiritLMError as error:
            # Ray would wrap an error of the constructor and lose its type.
            self._load_error = error

    def __call__(self, table: "pa.Table") -> "pa.Table":
        """Compute a task.

        table: columns index and item. Adds the columns results, error and fatal, see `Row`, and attempt: in the first
        row, how often this task was begun; else 1.
        """
        import pyarrow as pa
        import ray

        items = [self._setup.item_codec.decode(message) for message in table["item"].to_pylist()]
        attempt = ray.get(self._attempts.begin.remote(table["index"][0].as_py()))
        rows = list(self.compute(items, attempt))
        if len(rows) != len(items):
            raise RuntimeError(f"the computation has {len(rows)} outcomes for {len(items)} inputs")
        columns = {
            "results": pa.array([row.results for row in rows], pa.list_(pa.large_binary())),
            "error": pa.array([row.error for row in rows], pa.large_binary()),
            "fatal": pa.array([row.fatal for row in rows], pa.bool_()),
            "attempt": pa.array([attempt, *[1] * (len(rows) - 1)], pa.int64()),
        }
        for name, column in columns.items():
            table = table.append_column(name, column)
        return table

    def compute(self, items: list[Item], attempt: int) -> Iterator[Row]:
        """Compute the items of a task. attempt: how often it was begun, this time included."""
        done = 0
        error = self._load_error
        if attempt > MAX_ATTEMPTS:
            first, last = self._setup.item_name(items[0]), self._setup.item_name(items[-1])
            error = SpiritLMError(
                f"{MAX_ATTEMPTS} workers were lost while they computed the inputs from {first} to {last}: there is too "
                "little memory, or one of these inputs makes the process crash"
            )
        if error is None:
            try:
                for _, outcome in self._function(items):
                    yield self._row(outcome)
                    done += 1
            except SpiritLMError as raised:
                error = raised
        if error is not None:
            yield from [Row([], ERRORS.encode(error), fatal=True)] * (len(items) - done)

    def _row(self, outcome: Outcome[Result]) -> Row:
        results: list[bytes] = []
        try:
            for result in outcome:
                results.append(self._setup.result_codec.encode(result))
        except SpiritLMError as error:
            return Row(results, ERRORS.encode(error))
        return Row(results)
