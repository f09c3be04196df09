"""What becomes of inputs that can't be used."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO, TypeVar, overload

import typer

from spiritlm_cli.console import log, one_line
from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.jobs.lines import InputLine

if TYPE_CHECKING:
    from spiritlm_cli.manifests.clip import BadClip, Clip

Given = TypeVar("Given")
R = TypeVar("R")


class Failures:
    """What becomes of inputs that can't be used: the first ends the command, or each costs its line.

    Where they are skipped, their names and reasons go to stderr and into the file `path`, and at the end the
    exit status is 1.
    """

    def __init__(self, on_error: str = "fail", path: Path | None = None, before: int = 0) -> None:
        """before: how many there were in the part of a run that this one goes on from; the file keeps those."""
        self._skip = on_error == "skip"
        self._path = path
        self._file: TextIO | None = None
        self.count = before

    def __enter__(self) -> "Failures":
        if self._path:
            kept: list[str] = []
            if self.count and self._path.is_file():
                with self._path.open(encoding="utf-8") as lines:
                    kept = list(islice(lines, self.count))
            self._file = self._path.open("w", encoding="utf-8")
            self._file.writelines(kept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file:
            self._file.close()
        if kind is None and self.count:
            raise typer.Exit(1)

    @overload
    def each(
        self, items: Iterable[InputLine], work: Callable[[InputLine], R]
    ) -> Iterator[tuple[InputLine, R | None]]: ...

    @overload
    def each(
        self, items: "Iterable[Clip | BadClip]", work: "Callable[[Clip], R]"
    ) -> "Iterator[tuple[Clip | BadClip, R | None]]": ...

    def each(self, items: Iterable[Any], work: Callable[[Any], Any]) -> Iterator[tuple[Any, Any]]:
        """Each item, in order, with what `work` makes of it; None where it can't be used and is skipped."""
        from spiritlm_cli.manifests.clip import BadClip

        def usable(item: Any, _: Any) -> Any:
            if isinstance(item, BadClip):
                raise item.error
            return work(item)

        return self.each_of(((item, None) for item in items), usable)

    def each_of(
        self, pairs: Iterable[tuple[Given, Any]], work: Callable[[Given, Any], R]
    ) -> Iterator[tuple[Given, R | None]]:
        """The same of items that come with what `work` takes beside each, such as `BatchScheduler`."""
        for item, given in pairs:
            try:
                result = work(item, given)
            except SpiritLMError as error:
                reason = item.reason(error) if isinstance(item, InputLine) else _clip_reason(item, error)
                if not self._skip:
                    raise type(error)(reason) from error
                self._report(item.name if isinstance(item, InputLine) else item.id, reason)  # type: ignore[attr-defined]
                yield item, None
            else:
                yield item, result

    def _report(self, name: str, reason: str) -> None:
        self.count += 1
        reason = one_line(reason)
        log.error("%s", reason if reason.startswith(f"{name}:") else f"{one_line(name)}: {reason}")
        if self._file:
            self._file.write(f"{name}\t{reason}\n")
            self._file.flush()


def _clip_reason(clip: Any, error: SpiritLMError) -> str:
    """The error with its file's name before it, where it doesn't say that itself."""
    source = "stdin" if clip.source == "-" else str(clip.source)
    named = str(error).startswith((f"{source}:", f"{clip.id}:"))
    return str(error) if named else f"{source}: {error}"
