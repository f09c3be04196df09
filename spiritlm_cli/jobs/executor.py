"""Where a job computes: in this process, or on a Ray cluster."""

import os
from collections.abc import Generator, Iterable
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from spiritlm_cli.batching import Outcome
from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.distributed import ClusterJob, WorkerPool, compute_on_cluster
from spiritlm_cli.jobs.compute import Compute
from spiritlm_cli.jobs.failures import Input, name_of
from spiritlm_cli.jobs.options.shared import ModelOptions

Item = TypeVar("Item", bound=Input)
T = TypeVar("T")


def computed(
    compute: Compute[Any, Item, T], items: Iterable[Item], ray: str | None
) -> Generator[tuple[Item, Outcome[T]], None, None]:
    """Map inputs to (input, outcome), in order: the same on a cluster as in this process.

    ray: the address of a cluster, or None; see `compute_on_cluster`. Raises CheckpointError, and for a cluster what
    `compute_on_cluster` raises.
    """
    return _computed_here(compute, items) if ray is None else _computed_on_cluster(compute, items, ray)


def _computed_here(
    compute: Compute[Any, Item, T], items: Iterable[Item]
) -> Generator[tuple[Item, Outcome[T]], None, None]:
    with ExitStack() as stack:
        function = stack.enter_context(compute.load())
        outcomes = function(items)
        if hasattr(outcomes, "close"):
            stack.enter_context(closing(outcomes))  # type: ignore[type-var]
        yield from outcomes


def _computed_on_cluster(
    compute: Compute[Any, Item, T], items: Iterable[Item], address: str
) -> Generator[tuple[Item, Outcome[T]], None, None]:
    options = compute.options
    # Named before Ray is started; the environment of the workers is another.
    if isinstance(options, ModelOptions):
        options = replace(options, **_absolute_models(options))

    def for_workers(pool: WorkerPool) -> Compute[Any, Item, T]:
        return replace(compute, options=replace(options, device=pool.device), cpus=pool.cpus)

    job = ClusterJob(
        for_workers,
        compute.item_codec,
        compute.result_codec,
        name_of,
        compute.device,
        compute.task_size,
    )
    return compute_on_cluster(items, address, job)


def _absolute_models(options: ModelOptions) -> dict[str, Any]:
    """The options that name checkpoints, for other machines. Raises CheckpointError."""
    parts = {name: getattr(options, name, None) for name in ("tokenizer", "lm", "vocoder")}
    return {"model": _absolute_model(options.model)} | {
        name: _absolute_model(part) for name, part in parts.items() if part
    }


def _absolute_model(model: str | None) -> str:
    """The name of a checkpoint on other machines: of a folder its absolute path. Raises CheckpointError."""
    name = model or os.environ.get("SPIRITLM_CHECKPOINTS_DIR") or "nano"
    root = find_checkpoint(name).root
    return str(root.absolute()) if name != "nano" and Path(name).expanduser() == root else name
