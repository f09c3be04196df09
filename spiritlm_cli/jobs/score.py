"""How likely token lines are."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from spiritlm_cli.errors import TokenError
from spiritlm_cli.jobs.failures import Failures
from spiritlm_cli.jobs.lines import InputLine
from spiritlm_cli.jobs.output import LineWriter

if TYPE_CHECKING:
    from spiritlm_cli.batching import Outcome
    from spiritlm_cli.language.model import LanguageModel
    from spiritlm_cli.language.scoring import Score
    from spiritlm_cli.tokens.sequence import Line


def write_scores(
    lm: "LanguageModel",
    lines: Iterable[InputLine],
    contexts: Iterator[InputLine] | None,
    writer: LineWriter,
    failures: Failures,
) -> None:
    """Sum, tokens and mean of each line; nothing where it has none. contexts: a line for each, that it follows.

    Raises TokenError where they are not as many.
    """
    scored = lm.score_stream(_paired(lines, contexts), lambda pair: pair[0].sequence, _context)

    def found(_: InputLine, outcome: "Outcome[Score]") -> "Score":
        return outcome.result()

    for line, score in failures.each_of(((line, score) for (line, _), score in scored), found):
        shown = f"{score.log_likelihood:.6f}\t{score.tokens}\t{score.mean:.6f}" if score else ""
        writer.write_value(line.id, shown)


def _paired(
    lines: Iterable[InputLine], contexts: Iterator[InputLine] | None
) -> Iterator[tuple[InputLine, InputLine | None]]:
    for line in lines:
        context = next(contexts, None) if contexts else None
        if contexts and context is None:
            raise TokenError(line.reason(TokenError("the lines of --given end before it")))
        yield line, context
    if contexts and next(contexts, None):
        raise TokenError("--given has more lines than there are to score")


def _context(pair: tuple[InputLine, InputLine | None]) -> "Line | None":
    if pair[1] is None:
        return None
    try:
        return pair[1].line
    except TokenError as error:
        raise TokenError(f"--given, {pair[1].reason(error)}") from None
