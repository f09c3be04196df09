"""Where a job computes: in this process, or on a Ray cluster."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

from spiritlm_cli.jobs.failures import Input
from spiritlm_cli.jobs.run import Compute, Outcomes

Item = TypeVar("Item", bound=Input)


class ExecutionOptions(Protocol):
    """The option that says where."""

    @property
    def ray(self) -> str | None: ...


def computed(compute: Compute[Item], items: Iterable[Item], options: ExecutionOptions) -> Outcomes[Item]:
    """Map inputs to (input, outcome), in order: the same on a cluster as here."""
    return compute.load()(items)
