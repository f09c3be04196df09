"""The loop that line commands share: one in, one out, in order; what can't be used costs its line."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO, TypeVar, overload

import typer

from spiritlm_cli.commands.options import log
from spiritlm_cli.errors import SpiritLMError, TokenError

if TYPE_CHECKING:
    from spiritlm_cli.audio.clip import BadClip, Clip
    from spiritlm_cli.checkpoints import Checkpoint
    from spiritlm_cli.tokens.sequence import Header, Line, Sequence

R = TypeVar("R")


@dataclass(frozen=True)
class InputLine:
    """A line as it was read.

    source: the file's name as it was given; number: the line's place in it, from 1; place: that among all
    sequences read, headers not counted, from 1; content: its sequence, or why it has none.
    """

    source: str
    number: int
    place: int
    id: str | None
    content: "Sequence | TokenError"

    @property
    def name(self) -> str:
        """What to call it: its id, or its place where it has none."""
        return str(self.place) if self.id is None else self.id

    @property
    def sequence(self) -> "Sequence":
        """Raises TokenError where the line was not well formed."""
        if isinstance(self.content, TokenError):
            raise self.content
        return self.content

    def reason(self, error: SpiritLMError) -> str:
        """What is wrong with it, with the file's name (where it isn't stdin) and the line's number."""
        message = str(error)
        if not message.startswith(f"line {self.number},"):
            message = f"line {self.number}: {message}"
        return message if self.source == "-" else f"{self.source}: {message}"


def copy_ids(name: str, copies: int) -> list[str]:
    """The ids of what one line becomes: `name#0`, `name#1`, …, or its own."""
    return [name] if copies == 1 else [f"{name}#{copy}" for copy in range(copies)]


class LineWriter:
    """Lines to stdout ("-" too), or to a file that gets its name when it is complete (until then `NAME.part`).

    What is no ordinary file, such as /dev/null or a named pipe, is written to as it is.
    ids: True gives an id to each line (its number where it has none), False drops ids, None leaves them.
    """

    def __init__(self, path: Path | None = None, ids: bool | None = None) -> None:
        self._path = None if path is None or str(path) == "-" else path
        self._ids = ids
        self._lines = 0
        self._stream: BinaryIO = sys.stdout.buffer

    def __enter__(self) -> "LineWriter":
        if self._path is not None:
            self._part = self._path
            if not self._path.exists() or self._path.is_file():
                self._path = self._path.resolve()  # a link stays a link
                self._part = self._path.with_name(self._path.name + ".part")
            self._stream = self._part.open("wb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._path is None:
            return
        self._stream.close()
        if self._part == self._path:
            return
        if kind is None:
            self._part.replace(self._path)
        elif not self._part.stat().st_size:
            self._part.unlink()

    def write(self, line: "Line") -> None:
        """Raises TokenError for what the format can't hold."""
        from spiritlm_cli.tokens.sequence import Line
        from spiritlm_cli.tokens.writer import format_line

        self.write_text(format_line(Line(line.sequence, self._chosen(line.id))))

    def write_value(self, id: str | None, value: str) -> None:  # noqa: A002
        """A line that holds something else than tokens."""
        chosen = self._chosen(id)
        self.write_text(value if chosen is None else f"{chosen}\t{value}")

    def write_text(self, text: str) -> None:
        """One line of anything, sent on at once."""
        self._stream.write(text.encode() + b"\n")
        self._stream.flush()

    def write_header(self, checkpoint: "Checkpoint") -> None:
        """The line that says whose tokens follow."""
        from spiritlm_cli.tokens.sequence import Header
        from spiritlm_cli.tokens.writer import format_header

        self.write_text(format_header(Header(checkpoint.name, checkpoint.fingerprint())))

    def _chosen(self, id: str | None) -> str | None:  # noqa: A002
        self._lines += 1
        if self._ids is None:
            return id
        if not self._ids:
            return None
        return id if id is not None else str(self._lines)


class Failures:
    """What becomes of inputs that can't be used: the first ends the command, or each costs its line.

    Where they are skipped, their names and reasons go to stderr and into the file `path`, and at the end the
    exit status is 1.
    """

    def __init__(self, on_error: str = "fail", path: Path | None = None) -> None:
        self._skip = on_error == "skip"
        self._path = path
        self._file: TextIO | None = None
        self._count = 0

    def __enter__(self) -> "Failures":
        self._file = self._path.open("w", encoding="utf-8") if self._path else None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file:
            self._file.close()
        if kind is None and self._count:
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
        from spiritlm_cli.audio.clip import BadClip

        for item in items:
            try:
                if isinstance(item, BadClip):
                    raise item.error
                result = work(item)
            except SpiritLMError as error:
                reason = item.reason(error) if isinstance(item, InputLine) else _clip_reason(item, error)
                if not self._skip:
                    raise type(error)(reason) from error
                self._report(item.name if isinstance(item, InputLine) else item.id, reason)
                yield item, None
            else:
                yield item, result

    def _report(self, name: str, reason: str) -> None:
        self._count += 1
        reason = one_line(reason)
        log.error("%s", reason if reason.startswith(f"{name}:") else f"{one_line(name)}: {reason}")
        if self._file:
            self._file.write(f"{name}\t{reason}\n")
            self._file.flush()


def _clip_reason(clip: "Clip | BadClip", error: SpiritLMError) -> str:
    """The error with its file's name before it, where it doesn't say that itself."""
    source = "stdin" if clip.source == "-" else str(clip.source)
    named = str(error).startswith((f"{source}:", f"{clip.id}:"))
    return str(error) if named else f"{source}: {error}"


def read_input(
    paths: Iterable[str], checkpoint: "Checkpoint", writer: LineWriter | None = None
) -> Iterator[InputLine]:
    """The token lines of files and of stdin ("-"), each as soon as it is there.

    A header is compared with the checkpoint and repeated through `writer`. Raises TokenError for a header
    that doesn't fit, OSError for a file that can't be opened.
    """
    from spiritlm_cli.tokens.reader import BadLine, read_lines
    from spiritlm_cli.tokens.sequence import Header

    headed = False
    place = 0
    for path in paths:
        with nullcontext(sys.stdin.buffer) if path == "-" else Path(path).open("rb") as stream:
            for number, line in enumerate(read_lines(stream), 1):
                if isinstance(line, Header):
                    _check(line, checkpoint, "stdin" if path == "-" else path)
                    if writer and not headed:
                        writer.write_header(checkpoint)
                    headed = True
                else:
                    place += 1
                    content = line.error if isinstance(line, BadLine) else line.sequence
                    yield InputLine(path, number, place, line.id, content)


def read_prompt(text: str) -> Iterator[InputLine]:
    """The one line that an option gave."""
    from spiritlm_cli.tokens.reader import parse_line

    try:
        line = parse_line(text)
    except TokenError as error:
        yield InputLine("--prompt", 1, 1, None, error)
    else:
        yield InputLine("--prompt", 1, 1, line.id, line.sequence)


def _check(header: "Header", checkpoint: "Checkpoint", source: str) -> None:
    fingerprint = checkpoint.fingerprint()
    if header.tokenizer != fingerprint:
        raise TokenError(
            f"{source}: these are tokens of {header.model} ({header.tokenizer}), noise to {checkpoint.name} "
            f"({fingerprint}); give --model the checkpoint that they were made with"
        )


def one_line(message: str) -> str:
    """The message as one line that can't steer a terminal."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(message.split()))
