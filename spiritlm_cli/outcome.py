"""The results of one item of a stream, or the error it failed with."""

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from spiritlm_cli.errors import SpiritLMError

T = TypeVar("T")
R = TypeVar("R")


class Outcome(Generic[T]):
    """The results of an item, or the error it failed with.

    Iterate to get the results as they are computed (the windows of a long clip, the samples of a prompt). A
    SpiritLMError of the item is raised after the results computed before it. Results can be iterated once; `result`
    can be called any number of times.
    """

    def __init__(self, results: Iterable[T]) -> None:
        self._results = iter(results)
        self._value: T | SpiritLMError | None = None

    @classmethod
    def of(cls, compute: Callable[[], T]) -> "Outcome[T]":
        """Return the outcome of a call, which is made when its result is requested."""
        return cls(compute() for _ in range(1))

    @classmethod
    def failure(cls, error: SpiritLMError) -> "Outcome[T]":
        """Return an outcome without results that raises `error`."""

        def fail() -> T:
            raise error

        return cls.of(fail)

    def __iter__(self) -> Iterator[T]:
        return self._results

    def result(self) -> T:
        """Return the only result.

        Raises the SpiritLMError of the item, and ValueError if the number of results is not one.
        """
        if self._value is None:
            try:
                (self._value,) = self._results
            except SpiritLMError as error:
                self._value = error
        if isinstance(self._value, SpiritLMError):
            raise self._value
        return self._value

    def map(self, function: Callable[[T], R]) -> "Outcome[R]":
        """Return the outcome with `function` applied to each result. An error that it raises is the item's error."""
        return Outcome(map(function, self._results))
