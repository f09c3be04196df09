"""The driver: sends inputs to the workers in tasks, and yields their outcomes in order."""

import atexit
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from spiritlm_cli.console import log, one_line
from spiritlm_cli.distributed.cluster import WorkerPool, connect, import_ray, plan_workers
from spiritlm_cli.distributed.messages import ERRORS, Codec
from spiritlm_cli.distributed.worker import AttemptCounter, Computation, Worker, WorkerSetup
from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.outcome import Outcome

if TYPE_CHECKING:
    import pyarrow as pa

Item = TypeVar("Item")
Result = TypeVar("Result")

# Maximum number of inputs in a task, which is what is computed again if a worker is lost.
_TASK_SIZE = 64
# Minimum number of tasks for each worker if there are enough inputs, so that workers finish at about the same time.
_TASKS_PER_WORKER = 4


@dataclass(frozen=True)
class ClusterJob(Generic[Item, Result]):
    """What to compute on a cluster.

    computation: returns the computation for workers with the resources of a pool. item_name: the name of an item in
    messages. device: "cuda", "cpu", or "auto" for GPUs if the cluster has any. task_size: maximum number of items in a
    task.
    """

    computation: Callable[[WorkerPool], Computation[Item, Result]]
    item_codec: Codec[Item]
    result_codec: Codec[Result]
    item_name: Callable[[Item], str]
    device: str = "auto"
    task_size: int = _TASK_SIZE


Outcomes = Generator[tuple[Item, Outcome[Result]], None, None]


def compute_on_cluster(
    items: Iterable[Item], address: str, job: ClusterJob[Item, Result]
) -> Outcomes[Item, Result]:
    """Compute items on a Ray cluster. Yields (item, outcome) in order; outcomes raise the typed errors of the workers.

    address: "local" starts Ray on this machine; "auto" or host:port is a running cluster that this machine belongs to.
    If this process is connected to a cluster already, that one is used. There is a worker for each GPU, or for every
    four CPUs of a machine. All machines need this package, and files and checkpoints under the same paths. All items
    are read, and moved to Ray's object store, before the first outcome is yielded. A task whose worker is lost is begun
    again by another one.
    Raises MissingPackageError without Ray, the error of a worker that can't load the models, and SpiritLMError if
    the cluster can't be reached, doesn't have the device, or loses six workers over one task.
    """
    import_ray()
    outcomes = _compute(items, address, job)
    # Ray disconnects at the exit of the interpreter, and must not do so before the generator is closed.
    atexit.register(_close, weakref.ref(outcomes))
    return outcomes


def _close(outcomes: "weakref.ref[Outcomes[Any, Any]]") -> None:
    if generator := outcomes():
        generator.close()


def _compute(items: Iterable[Item], address: str, job: ClusterJob[Item, Result]) -> Outcomes[Item, Result]:
    with connect(address):
        pool = plan_workers(job.device)
        setup = WorkerSetup(
            job.computation(pool),
            job.item_codec,
            job.result_codec,
            job.item_name,
            str(Path.cwd()),
            pool.cpus,
        )
        tasks = _Tasks.put(map(job.item_codec.encode, items), job.task_size, pool.size)
        with closing(_results(tasks, setup, pool)) as tables:
            for table in tables:
                yield from _outcomes(table, job)


@dataclass(frozen=True)
class _Tasks:
    """Tables of items in Ray's object store. size: items in each, but fewer in the last; items: in all."""

    tables: "list[Any]"
    size: int
    items: int

    @classmethod
    def put(cls, messages: Iterator[bytes], max_size: int, workers: int) -> "_Tasks":
        """Put encoded items into tables, one in memory at a time."""
        import pyarrow as pa
        import ray

        first = list(islice(messages, max_size * _TASKS_PER_WORKER * workers))
        size = max(1, min(max_size, len(first) // (_TASKS_PER_WORKER * workers)))
        rest = chain(first, messages)
        tables, items = [], 0
        while rows := list(islice(rest, size)):
            indices = range(items, items + len(rows))
            tables.append(ray.put(pa.table({"index": indices, "item": pa.array(rows, pa.large_binary())})))
            items += len(rows)
        return cls(tables, size, items)


def _results(
    tasks: _Tasks, setup: WorkerSetup[Item, Result], pool: WorkerPool
) -> "Generator[pa.Table, None, None]":
    """The tables of the tasks in order, with the columns that `Worker` adds. Raises SpiritLMError."""
    import ray

    if not tasks.items:
        return
    items = ray.data.from_arrow_refs(tasks.tables)
    items.context.execution_options.preserve_order = True
    items.context.enable_progress_bars = False
    # A task of long recordings may take hours.
    items.context.execution_no_progress_timeout_s = -1
    attempts = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(AttemptCounter).remote()
    results = items.map_batches(
        Worker,
        fn_constructor_args=[setup, attempts],
        batch_size=tasks.size,  # required with GPUs
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=min(pool.size, len(tasks.tables))),
        num_cpus=pool.cpus,
        num_gpus=pool.gpus,
    )
    indices = count()
    try:
        # With prefetching, a table would not be yielded before the next one is there.
        for table in results.iter_batches(prefetch_batches=0, batch_size=None, batch_format="pyarrow"):
            if any(index.as_py() != next(indices) for index in table["index"]):
                raise RuntimeError("Ray returned results out of order")
            yield table
    except ray.exceptions.RayActorError as error:
        # The cause of the actor's death is the last line of its traceback.
        raise SpiritLMError(f"a worker can't be started: {str(error).strip().splitlines()[-1]}") from error
    if next(indices) != tasks.items:
        raise RuntimeError("Ray returned fewer results than there are inputs")


def _outcomes(table: "pa.Table", job: ClusterJob[Item, Result]) -> Iterator[tuple[Item, Outcome[Result]]]:
    """The items of a table with their outcomes. Raises the error that ends the run."""
    for row in range(table.num_rows):
        item = job.item_codec.decode(table["item"][row].as_py())
        if table["attempt"][row].as_py() > 1:
            name = one_line(job.item_name(item))
            log.warning("a worker was lost; the inputs from %s on are computed again", name)
        message = table["error"][row].as_py()
        error = None if message is None else ERRORS.decode(message)
        if error and table["fatal"][row].as_py():
            raise error
        results = map(job.result_codec.decode, table["results"][row].as_py())
        yield item, Outcome(_with_error(results, error))


def _with_error(results: Iterator[Result], error: SpiritLMError | None) -> Iterator[Result]:
    yield from results
    if error:
        raise error
