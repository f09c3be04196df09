"""Input token lines: from files and stdin, one after another."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, TypeVar

from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.console import log, notify
from spiritlm_cli.errors import SpiritLMError, TokenError
from spiritlm_cli.streams import standard_input
from spiritlm_cli.text_files import bounded_lines
from spiritlm_cli.tokens.reader import BadLine, parse_line, read_lines
from spiritlm_cli.tokens.sequence import Header, Line, Sequence

T = TypeVar("T")


@dataclass(frozen=True)
class InputLine:
    """A line as it was read.

    source: the file's name as given; line_number: in that file, from 1; index: among all token lines read, without
    headers, from 1; content: the line, or the error in its place.
    """

    source: str
    line_number: int
    index: int
    id: str | None
    content: Line | TokenError

    @property
    def name(self) -> str:
        """What messages and random numbers know it by: its id, or its index if it has none."""
        return str(self.index) if self.id is None else self.id

    @property
    def line(self) -> Line:
        """Raises TokenError if it is not well formed."""
        if isinstance(self.content, TokenError):
            raise self.content
        return self.content

    @property
    def sequence(self) -> Sequence:
        """Raises TokenError if the line is not well formed."""
        return self.line.sequence

    @property
    def is_unused_input(self) -> bool:
        """Whether nothing stands after its id: so `--on-error skip` writes an input that can't be used.

        An empty line without an id can be an empty prompt.
        """
        return self.id is not None and self.content == Line(Sequence(), self.id)

    def reason(self, error: SpiritLMError) -> str:
        """The error's message after the file's name (unless it is stdin) and the line's number."""
        message = str(error)
        if not message.startswith(f"line {self.line_number},"):
            message = f"line {self.line_number}: {message}"
        return message if self.source == "-" else f"{self.source}: {message}"


def copy_ids(name: str, copies: int) -> list[str]:
    """The ids of the lines that one input becomes: `name#0`, `name#1`, …, or `name` itself for one copy."""
    return [name] if copies == 1 else [f"{name}#{copy}" for copy in range(copies)]


def check_files(paths: Iterable[str]) -> None:
    """Raise OSError if a file is not there, before anything is read or loaded."""
    for path in paths:
        if path != "-":
            Path(path).stat()


def read_input(
    paths: Iterable[str],
    checkpoint: Checkpoint,
    on_header: Callable[[], None] | None = None,
    opened: Mapping[str, BinaryIO] = MappingProxyType({}),
) -> Iterator[InputLine]:
    """Read the token lines of files and of stdin ("-"), each as soon as it is there.

    on_header: called for a header that stands before all token lines. opened: streams to read instead of opening the
    paths, such as pipes whose beginning was looked at. Raises TokenError for a header of another
    tokenizer, and OSError for a file that is not there, before anything is read, or can't be opened.
    """
    paths = list(paths)
    check_files(paths)
    index = 0
    for path in paths:
        before = index
        announce(path)
        with _open(path, opened) as stream:
            for line_number, line in enumerate(naming_source(read_lines(bounded_lines(stream)), path), 1):
                if isinstance(line, Header):
                    check_header(line, checkpoint, "stdin" if path == "-" else path)
                    if on_header and not index:
                        on_header()
                        on_header = None
                else:
                    index += 1
                    content = line.error if isinstance(line, BadLine) else line
                    yield InputLine(path, line_number, index, line.id, content)
        if index == before:
            warn_empty(path)


def _open(path: str, opened: Mapping[str, BinaryIO]) -> AbstractContextManager[BinaryIO]:
    if path in opened:
        return nullcontext(opened[path])
    return nullcontext(standard_input()) if path == "-" else Path(path).open("rb")


def announce(path: str) -> None:
    """Say that lines are read from the terminal, where stdin ("-") is one."""
    if path == "-" and sys.stdin is not None and sys.stdin.isatty():
        notify("reading token lines from the terminal; Ctrl-D ends them")


def naming_source(lines: Iterable[T], path: str) -> Iterator[T]:
    """Yield lines. Raises their TokenError with the name of the file before it."""
    try:
        yield from lines
    except TokenError as error:
        raise TokenError(f"{'stdin' if path == '-' else path}: {error}") from None


def warn_empty(path: str) -> None:
    """Warn that a file or stdin ("-") has no token lines: no lines are right for it, but rarely what is meant."""
    log.warning("%s: no token lines", "stdin" if path == "-" else path)


def read_prompt(text: str) -> Iterator[InputLine]:
    """The one line that `--prompt` gives."""
    try:
        line = parse_line(text)
    except TokenError as error:
        yield InputLine("--prompt", 1, 1, None, error)
    else:
        yield InputLine("--prompt", 1, 1, line.id, line)


def check_header(header: Header, checkpoint: Checkpoint, source: str) -> None:
    """Raise TokenError if the lines that follow are another tokenizer's."""
    fingerprint = checkpoint.fingerprint()
    if header.tokenizer != fingerprint:
        raise TokenError(
            f"{source}: these are tokens of {header.model} ({header.tokenizer}), noise to {checkpoint.name} "
            f"({fingerprint}); give --model the checkpoint that they were made with"
        )
