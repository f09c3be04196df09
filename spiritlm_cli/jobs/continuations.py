"""Continuations of token lines, written as whole lines or as they grow."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from spiritlm_cli.console import log
from spiritlm_cli.errors import TokenError
from spiritlm_cli.jobs.failures import Failures
from spiritlm_cli.jobs.lines import InputLine, copy_ids
from spiritlm_cli.jobs.output import LineWriter

if TYPE_CHECKING:
    from spiritlm_cli.language.generator import GenerationRequest, Overflow, TokenGenerator
    from spiritlm_cli.language.grammar import RequestedModality
    from spiritlm_cli.language.hypothesis import Generation
    from spiritlm_cli.language.prompt import Prompt
    from spiritlm_cli.language.sampling import Sampling
    from spiritlm_cli.tokens.sequence import Line, Span


@dataclass(frozen=True, eq=False)
class Continuing:
    """How lines are continued.

    prompt: makes a prompt of a line; cleaned: an answer that may come in pieces; samples: continuations of a line;
    echo: write the line too.
    """

    lm: "TokenGenerator"
    prompt: "Callable[[InputLine], Prompt]"
    cleaned: "Callable[[Iterable[Span]], Iterable[Span]]"
    to: "RequestedModality"
    sampling: "Sampling"
    overflow: "Overflow"
    samples: int = 1
    echo: bool = False

    def write(
        self, lines: Iterable[InputLine], writer: LineWriter, failures: Failures, batch_size: int
    ) -> None:
        """Each line's continuations, when the last of them is over."""
        from spiritlm_cli.tokens.sequence import Line, Sequence

        # Random numbers go by the line's name, so that a line's answer doesn't depend on those around it.
        generated = self.lm.generate_stream(
            lines, lambda line: self._request(line, line.name), self.samples, batch_size
        )
        for line, found in failures.each_of(generated, self._lines):
            empty = [Line(Sequence())] * self.samples
            for name, continued in zip(self._ids(line), found or empty, strict=True):
                writer.write(Line(continued.sequence, name, prompt=continued.prompt))

    def stream(self, lines: Iterable[InputLine], writer: LineWriter, failures: Failures) -> None:
        """Each line's continuations one after another, token by token as they are made."""
        for line, done in failures.each(lines, partial(self._stream, writer)):
            if not done:
                for name in self._ids(line):
                    writer.write_value(name, "")

    def _stream(self, writer: LineWriter, line: InputLine) -> bool:
        from spiritlm_cli.tokens.writer import format_pieces

        for sample, name in enumerate(self._ids(line)):
            hypothesis = self.lm.start(self._request(line, f"{line.name}#{sample}"))
            if not sample:
                _tell_cut(line, hypothesis.truncated)
            pieces = self.cleaned(self.lm.stream(hypothesis))
            writer.begin(name)
            for text in format_pieces(pieces, line.sequence if self.echo else None):
                writer.write_part(text)
            writer.write_text("")
        return True

    def _request(self, line: InputLine, key: str) -> "GenerationRequest":
        from spiritlm_cli.language.generator import GenerationRequest

        return GenerationRequest(self.prompt(line), self.to, self.sampling, key, self.overflow)

    def _lines(self, line: InputLine, found: "Iterator[Generation]") -> "list[Line]":
        from spiritlm_cli.tokens.sequence import Line, Sequence

        continued: list[Line] = []
        for generation in found:
            if not continued:
                _tell_cut(line, generation.truncated)
            added = tuple(self.cleaned(generation.sequence.spans))
            start = line.sequence if self.echo else Sequence()
            whole = Sequence.of((*start.spans, *added))
            continued.append(Line(whole, prompt=start if self.echo else None))
        return continued

    def _ids(self, line: InputLine) -> list[str | None]:
        return [line.id] if self.samples == 1 else [*copy_ids(line.name, self.samples)]


def _tell_cut(line: InputLine, tokens: int) -> None:
    if tokens:
        message = line.reason(TokenError(f"the prompt is too long; its first {tokens} tokens are left out"))
        log.warning("%s", message if line.id is None else f"{line.id}: {message}")
