"""Token lines from stdin that are decoded while they are still being written."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.errors import TokenError
from spiritlm_cli.jobs.lines import InputLine, announce, check_header, naming_source, read_input, warn_empty
from spiritlm_cli.streams import standard_input
from spiritlm_cli.tokens.reader import BadLine
from spiritlm_cli.tokens.sequence import Header, Line
from spiritlm_cli.tokens.streaming import StreamingLine, read_chunks, stream_lines


@dataclass(frozen=True)
class StreamingInput(InputLine):
    """A line whose end may not have been read; `line` waits for it."""

    stream: StreamingLine

    @property
    def line(self) -> Line:
        """Raises TokenError if it is not well formed."""
        return self.stream.read_all()


def read_streaming(paths: Iterable[str], checkpoint: Checkpoint) -> Iterator[InputLine]:
    """The lines that `read_input` gives; a line on stdin that has to be waited for is given before it ends."""
    index = 0
    for path in paths:
        lines = _standard_lines(checkpoint) if path == "-" else read_input([path], checkpoint)
        for line in lines:
            index += 1
            yield replace(line, index=index)


def _standard_lines(checkpoint: Checkpoint) -> Iterator[InputLine]:
    empty = True
    announce("-")
    for line_number, line in enumerate(naming_source(stream_lines(read_chunks(standard_input())), "-"), 1):
        if isinstance(line, Header):
            check_header(line, checkpoint, "stdin")
            continue
        empty = False
        if isinstance(line, StreamingLine):
            unfinished = TokenError("the line has not ended")
            yield StreamingInput("-", line_number, 0, line.id, unfinished, line)
        else:
            content = line.error if isinstance(line, BadLine) else line
            yield InputLine("-", line_number, 0, line.id, content)
    if empty:
        warn_empty("-")
