"""How likely token lines are."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from spiritlm_cli.commands.lines import InputLine
from spiritlm_cli.errors import TokenError

if TYPE_CHECKING:
    from spiritlm_cli.language.model import LanguageModel, Score
    from spiritlm_cli.tokens.sequence import Sequence


def score_lines(
    lm: "LanguageModel", lines: Iterable[InputLine], contexts: Iterator[InputLine] | None = None
) -> "Iterator[tuple[InputLine, Callable[[], Score]]]":
    """Each line with what gives its score. contexts: a line for each, that it follows.

    Raises TokenError where they are not as many.
    """
    for (line, _), score in lm.score_each(_paired(lines, contexts), lambda pair: pair[0].sequence, _context):
        yield line, score


def shown_score(score: "Score | None") -> str:
    """Sum, tokens and mean; nothing where there is none."""
    return f"{score.log_likelihood:.6f}\t{score.tokens}\t{score.mean:.6f}" if score else ""


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


def _context(pair: tuple[InputLine, InputLine | None]) -> "Sequence | None":
    if pair[1] is None:
        return None
    try:
        return pair[1].sequence
    except TokenError as error:
        raise TokenError(f"--given, {pair[1].reason(error)}") from None
