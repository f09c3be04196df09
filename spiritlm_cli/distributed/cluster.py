"""Ray: the package, the connection to a cluster, and how many workers the cluster has room for."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from spiritlm_cli.console import is_verbose
from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.third_party import needs_extra

# CPUs of a worker without a GPU. The networks don't scale well beyond; a second worker makes better use of more.
_CPUS_PER_WORKER = 4
_CONNECT_SECONDS = 10


@dataclass(frozen=True)
class WorkerPool:
    """Number of workers, and the resources of each: CPUs, and GPUs (0 or 1)."""

    size: int
    cpus: int
    gpus: int

    @property
    def device(self) -> str:
        """The device that each worker computes on: "cuda" or "cpu"."""
        return "cuda" if self.gpus else "cpu"


def import_ray() -> None:
    """Import Ray and Ray Data; their messages are shown with `--verbose` only. Raises MissingPackageError."""
    # Threads of Ray Data that outlive the connection would start a new cluster.
    os.environ.setdefault("RAY_ENABLE_AUTO_CONNECT", "0")
    if not is_verbose():
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    with needs_extra("ray", extra="ray", purpose="running on a cluster"):
        import ray.data  # noqa: F401
    if not is_verbose():
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)


@contextmanager
def connect(address: str) -> Iterator[None]:
    """Connect to the cluster at `address` for the duration of the block.

    address: "local" starts a cluster on this machine and stops it at the end; "auto" or host:port is a running one.
    If this process is connected to a cluster already, that connection is used and left open.
    Raises SpiritLMError if the cluster can't be reached.
    """
    import ray

    if ray.is_initialized():
        yield
        return
    if address not in ("auto", "local"):
        check_reachable(address)
    options: dict[str, Any] = {"logging_level": logging.INFO if is_verbose() else logging.ERROR}
    if address == "local":
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        options["include_dashboard"] = False
    try:
        with nullcontext() if is_verbose() else _discard_stderr():
            # log_to_driver would write the workers' output to stdout, among the data.
            ray.init(address, log_to_driver=False, **options)
    except (OSError, RuntimeError, ValueError) as error:
        raise SpiritLMError(f"{address}: can't connect to a Ray cluster: {error}") from error
    try:
        yield
    finally:
        ray.shutdown()


def plan_workers(device: str) -> WorkerPool:
    """Plan one worker for each GPU of the cluster, or one for every four CPUs of a machine.

    device: "cuda", "cpu", or "auto" for GPUs if the cluster has any.
    Raises SpiritLMError for any other device, and for "cuda" if the cluster has no GPU.
    """
    import ray

    if device not in ("auto", "cpu", "cuda"):
        raise SpiritLMError(f"on a cluster the device is auto, cpu or cuda, not {device}")
    gpus = int(ray.cluster_resources().get("GPU", 0)) if device != "cpu" else 0
    if gpus:
        return WorkerPool(gpus, cpus=1, gpus=1)
    if device == "cuda":
        raise SpiritLMError("device cuda can't be used: the Ray cluster has no GPU")
    machines = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
    cpus = max(1, min(_CPUS_PER_WORKER, max(machines)))
    return WorkerPool(max(1, sum(machine // cpus for machine in machines)), cpus, gpus=0)


def check_reachable(address: str) -> None:
    """Raise SpiritLMError if `address` is not host:port or nothing listens there.

    Ray itself would retry for many minutes.
    """
    if address.startswith("ray://"):
        raise SpiritLMError(
            f"{address}: Ray Data can't be used through a Ray client; run on a machine of the cluster, with auto"
        )
    host, colon, port = address.rpartition(":")
    if not (colon and port.isdecimal()):
        raise SpiritLMError(
            f"{address}: the address of a Ray cluster is host:port, or auto; local starts Ray on this machine"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        raise SpiritLMError(f"{address}: no Ray cluster there ({error.strerror or error})") from error


@contextmanager
def _discard_stderr() -> Iterator[None]:
    """Discard what the block writes to file descriptor 2, where Ray's C++ part logs too."""
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)
