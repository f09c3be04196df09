"""What a job computes, apart from where its inputs come from, where its results go, and on which machine."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from spiritlm_cli.batching import Outcome
from spiritlm_cli.distributed.messages import Codec

Options = TypeVar("Options")
Item = TypeVar("Item")
T = TypeVar("T")

Function = Callable[[Iterable[Item]], Iterable[tuple[Item, Outcome[T]]]]


@dataclass(frozen=True)
class Compute(ABC, Generic[Options, Item, T]):
    """The computation of a job. It can be pickled: it holds options, and no models.

    cpus: number of CPUs to use; None for all of this machine. item_codec, result_codec: how inputs and results travel
    to the workers of a cluster and back. task_size: maximum number of inputs that a worker is given at a time.
    """

    options: Options
    cpus: int | None = None

    item_codec: ClassVar[Codec[Any]]
    result_codec: ClassVar[Codec[Any]]
    task_size: ClassVar[int] = 64

    @property
    def device(self) -> str:
        """The device that the options ask for."""
        device: str = self.options.device  # type: ignore[attr-defined]
        return device

    @abstractmethod
    def load(self) -> AbstractContextManager[Function[Item, T]]:
        """Load the models, and release them at the end of the block.

        The function maps inputs to (input, outcome), in order, and may be called many times. Raises CheckpointError.
        """
