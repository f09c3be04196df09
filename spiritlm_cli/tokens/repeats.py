"""Whether speech was written with its repeats: then every phonetic unit is a frame, and none has to be timed."""

from spiritlm_cli.tokens.sequence import Span, TextSpan
from spiritlm_cli.tokens.units import Kind

# A line has its repeats where more than this share of its phonetic units equal the one before. In lines that do it
# is about a quarter; in lines that don't it is none, save for a slip of the language model.
REPEATS = 0.1

# Repeats above or below that share from which on the rest of a line is not waited for: 20 units without any do.
_SURE = 2.0


class Repeats:
    """Counts how many phonetic units equal the one before, in speech that may still grow."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._pairs = 0
        self._repeats = 0

    def add(self, span: Span) -> None:
        """What comes next: units in the same span as those before, or text between two."""
        if isinstance(span, TextSpan):
            self._last = None
            return
        for unit in span.units:
            if unit.kind is Kind.HUBERT:
                if self._last is not None:
                    self._pairs += 1
                    self._repeats += unit.id == self._last
                self._last = unit.id

    @property
    def excess(self) -> float:
        """How many more repeats there are than in a line of which it can't be said whether it has them."""
        return self._repeats - REPEATS * self._pairs

    @property
    def sure(self) -> bool:
        """Whether there is enough to tell."""
        return abs(self.excess) >= _SURE
