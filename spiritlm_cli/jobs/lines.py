"""Token lines in, from files and stdin, one after another."""

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spiritlm_cli.errors import SpiritLMError, TokenError
from spiritlm_cli.files import standard_input

if TYPE_CHECKING:
    from spiritlm_cli.checkpoints import Checkpoint
    from spiritlm_cli.jobs.output import LineWriter
    from spiritlm_cli.tokens.sequence import Header, Line, Sequence


@dataclass(frozen=True)
class InputLine:
    """A line as it was read.

    source: the file's name as it was given; number: the line's place in it, from 1; place: that among all
    sequences read, headers not counted, from 1; content: the line, or why it is none.
    """

    source: str
    number: int
    place: int
    id: str | None
    content: "Line | TokenError"

    @property
    def name(self) -> str:
        """What to call it: its id, or its place where it has none."""
        return str(self.place) if self.id is None else self.id

    @property
    def line(self) -> "Line":
        """Raises TokenError where it was not well formed."""
        if isinstance(self.content, TokenError):
            raise self.content
        return self.content

    @property
    def sequence(self) -> "Sequence":
        """Raises TokenError where the line was not well formed."""
        return self.line.sequence

    def reason(self, error: SpiritLMError) -> str:
        """What is wrong with it, with the file's name (where it isn't stdin) and the line's number."""
        message = str(error)
        if not message.startswith(f"line {self.number},"):
            message = f"line {self.number}: {message}"
        return message if self.source == "-" else f"{self.source}: {message}"


def copy_ids(name: str, copies: int) -> list[str]:
    """The ids of what one line becomes: `name#0`, `name#1`, …, or its own."""
    return [name] if copies == 1 else [f"{name}#{copy}" for copy in range(copies)]


def read_input(
    paths: Iterable[str], checkpoint: "Checkpoint", writer: "LineWriter | None" = None
) -> Iterator[InputLine]:
    """The token lines of files and of stdin ("-"), each as soon as it is there.

    A header is compared with the checkpoint, and one before all lines repeated through `writer`. Raises TokenError for
    a header that doesn't fit, OSError for a file that can't be opened, or is not there, before anything is read.
    """
    from spiritlm_cli.tokens.reader import BadLine, read_lines
    from spiritlm_cli.tokens.sequence import Header

    paths = list(paths)
    for path in paths:
        if path != "-":
            Path(path).stat()
    place = 0
    for path in paths:
        with nullcontext(standard_input()) if path == "-" else Path(path).open("rb") as stream:
            for number, line in enumerate(read_lines(stream), 1):
                if isinstance(line, Header):
                    check_header(line, checkpoint, "stdin" if path == "-" else path)
                    # while nothing has been read, nothing has been written
                    if writer and not place:
                        writer.write_header(checkpoint)
                        writer = None
                else:
                    place += 1
                    content = line.error if isinstance(line, BadLine) else line
                    yield InputLine(path, number, place, line.id, content)


def read_prompt(text: str) -> Iterator[InputLine]:
    """The one line that an option gave."""
    from spiritlm_cli.tokens.reader import parse_line

    try:
        line = parse_line(text)
    except TokenError as error:
        yield InputLine("--prompt", 1, 1, None, error)
    else:
        yield InputLine("--prompt", 1, 1, line.id, line)


def check_header(header: "Header", checkpoint: "Checkpoint", source: str) -> None:
    """Raises TokenError where the tokens that follow are another tokenizer's."""
    fingerprint = checkpoint.fingerprint()
    if header.tokenizer != fingerprint:
        raise TokenError(
            f"{source}: these are tokens of {header.model} ({header.tokenizer}), noise to {checkpoint.name} "
            f"({fingerprint}); give --model the checkpoint that they were made with"
        )
