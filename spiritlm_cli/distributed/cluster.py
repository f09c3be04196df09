"""Ray: the package, the connection to a cluster, and how many workers the cluster has room for."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from spiritlm_cli.console import log
from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.third_party import needs_extra

# CPUs of a worker that has no GPU: more of them are put to better use by another worker.
_CPUS = 4


@dataclass(frozen=True)
class Crew:
    """How many workers there are, and what each has."""

    size: int
    cpus: int
    gpus: int


def import_ray() -> None:
    """Import it, so that it says nothing but with -v. Raises MissingPackageError."""
    # Threads of Ray Data that outlive the connection would start Ray anew.
    os.environ.setdefault("RAY_ENABLE_AUTO_CONNECT", "0")
    if not _verbose():
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    with needs_extra("ray", extra="ray", purpose="running on a cluster"):
        import ray.data  # noqa: F401
    if not _verbose():
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Be connected to the cluster at `address`; "local" is one that is started here, and ended.

    Where the program is connected already, that stays as it is.
    Raises SpiritLMError where there is no connection to be had.
    """
    import ray

    if ray.is_initialized():
        yield
        return
    if address not in ("auto", "local"):
        _knock(address)
    options: dict[str, Any] = {"logging_level": logging.INFO if _verbose() else logging.ERROR}
    if address == "local":
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        options["include_dashboard"] = False
    try:
        with nullcontext() if _verbose() else _no_stderr():
            # What workers print would go to stdout.
            ray.init(address, log_to_driver=False, **options)
    except (OSError, RuntimeError, ValueError) as error:
        raise SpiritLMError(f"{address}: no Ray cluster that can be reached: {error}") from error
    try:
        yield
    finally:
        ray.shutdown()


def find_crew(device: str) -> Crew:
    """A worker for each GPU of the cluster, or for every four CPUs of a machine: "auto" takes GPUs where there are any.

    Raises SpiritLMError where the cluster hasn't the device, or `device` is none of auto, cpu and cuda.
    """
    import ray

    if device not in ("auto", "cpu", "cuda"):
        raise SpiritLMError(f"on a cluster the device is auto, cpu or cuda, not {device}")
    gpus = int(ray.cluster_resources().get("GPU", 0)) if device != "cpu" else 0
    if gpus:
        return Crew(gpus, cpus=1, gpus=1)
    if device == "cuda":
        raise SpiritLMError("device cuda can't be used: the Ray cluster has no GPU")
    machines = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
    cpus = max(1, min(_CPUS, max(machines)))
    return Crew(max(1, sum(machine // cpus for machine in machines)), cpus, gpus=0)


def _verbose() -> bool:
    return log.isEnabledFor(logging.INFO)


def _knock(address: str) -> None:
    """Raises SpiritLMError where nobody listens, for whom Ray would wait many minutes."""
    if address.startswith("ray://"):
        raise SpiritLMError(f"{address}: Ray Data starts from a machine of the cluster; there, take auto")
    host, colon, port = address.rpartition(":")
    if not (colon and port.isdecimal()):
        raise SpiritLMError(
            f"{address}: a Ray cluster's address is host:port, or auto; local starts Ray here"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except OSError as error:
        raise SpiritLMError(f"{address}: no Ray cluster there ({error.strerror or error})") from error


@contextmanager
def _no_stderr() -> Iterator[None]:
    """What is written to stderr is lost, by what is no Python too: Ray announces there that it will be quiet."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
