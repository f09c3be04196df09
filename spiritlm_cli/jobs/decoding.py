"""Token lines to their sound: whole ones in batches, and one that is still being written as it grows."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from spiritlm_cli.batching import Outcome
from spiritlm_cli.errors import TokenError
from spiritlm_cli.files import standard_input
from spiritlm_cli.jobs.lines import InputLine, check_header, read_input

if TYPE_CHECKING:
    from spiritlm_cli.checkpoints import Checkpoint
    from spiritlm_cli.manifests.clip import Waveform
    from spiritlm_cli.tokens.sequence import Line, Sequence
    from spiritlm_cli.tokens.streaming import StreamingLine
    from spiritlm_cli.vocoder.vocoder import Vocoder
    from spiritlm_cli.vocoder.windows import Durations, Window


@dataclass(frozen=True)
class GrowingInput(InputLine):
    """A line that is read as it grows; `line` waits for its end."""

    growing: "StreamingLine"

    @property
    def line(self) -> "Line":
        """Raises TokenError where it was not well formed."""
        return self.growing.read_all()


def read_as_it_grows(paths: Iterable[str], checkpoint: "Checkpoint") -> Iterator[InputLine]:
    """The lines that `read_input` gives; one on stdin that has to be waited for is given before it ends."""
    place = 0
    for path in paths:
        lines = _standard_lines(checkpoint) if path == "-" else read_input([path], checkpoint)
        for line in lines:
            place += 1
            yield replace(line, place=place)


def _standard_lines(checkpoint: "Checkpoint") -> Iterator[InputLine]:
    from spiritlm_cli.tokens.reader import BadLine
    from spiritlm_cli.tokens.sequence import Header
    from spiritlm_cli.tokens.streaming import StreamingLine, read_chunks, stream_lines

    for number, line in enumerate(stream_lines(read_chunks(standard_input())), 1):
        if isinstance(line, Header):
            check_header(line, checkpoint, "stdin")
        elif isinstance(line, StreamingLine):
            unfinished = TokenError("the line has not ended")
            yield GrowingInput("-", number, 0, line.id, unfinished, line)
        else:
            yield InputLine("-", number, 0, line.id, line.error if isinstance(line, BadLine) else line)


@dataclass(frozen=True, eq=False)
class Speaking:
    """How lines are spoken.

    voice, style, durations: as `Vocoder.split_windows` has them; continuation: not the prompt.
    """

    vocoder: "Vocoder"
    voice: int
    style: str | None
    durations: "Durations"
    continuation: bool = False

    def each(
        self, lines: Iterable[InputLine], passed_over: Callable[[str], bool], batch_seconds: float | None
    ) -> "Iterator[tuple[InputLine, Outcome[Waveform]]]":
        """Lines in order, each with its sound in pieces as they are made, which raises TokenError for what can't be.

        passed_over: whether the line of that name gets no sound.
        """
        lines = iter(lines)
        growing: list[GrowingInput] = []

        def whole() -> Iterator[InputLine]:
            for line in lines:
                if isinstance(line, GrowingInput):
                    growing.append(line)
                    return
                yield line

        def windows(line: InputLine) -> "list[Window]":
            return [] if passed_over(line.name) else self._windows(line)

        while True:
            yield from self.vocoder.synthesize_stream(whole(), windows, batch_seconds)
            if not growing:
                return
            # the thread that read ahead has ended with it: what follows is read here
            line = growing.pop()
            yield line, Outcome(self._follow(line))

    def _windows(self, line: InputLine) -> "list[Window]":
        prompt, heard = line.line.split() if self.continuation else (None, line.sequence)
        return self.vocoder.split_windows(heard, self.voice, self.style, self.durations, prompt=prompt)

    def _follow(self, line: GrowingInput) -> "Iterator[Waveform]":
        prompt: Sequence | None = None
        pieces: Iterable[Sequence] = (piece.sequence for piece in line.growing)
        if self.continuation:
            prompt, pieces = line.growing.split()
        yield from self.vocoder.decode_incremental(
            pieces, self.voice, self.style, self.durations, prompt=prompt
        )

    def text(self, line: InputLine) -> str:
        """The text of what is spoken, in one line; none where the line is not well formed."""
        try:
            spoken = line.line.split()[1] if self.continuation else line.sequence
        except TokenError:
            return ""
        return " ".join(spoken.text.split())
