"""Word times that come from elsewhere: what can safely be repaired is, and said; the rest is refused."""

import math
import re
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from spiritlm_cli.errors import AlignmentError, ManifestError
from spiritlm_cli.manifests.clip import Alignment, Word

NOT_IN_TEXT = re.compile(r"[\0\ud800-\udfff]")
# Seconds by which a time may be off because somebody rounded it.
_ROUNDING = 0.011


@dataclass(frozen=True)
class _Untimed:
    word: str
    where: str
    confidence: float | None


class AlignmentBuilder:
    """The words of one clip, as they are read one after another.

    A word without text is left out; an overlap ends where the second word begins; words without times share the gap
    that they stand in, in proportion to their letters.
    """

    def __init__(self) -> None:
        self._words: list[Word] = []
        self._untimed: list[_Untimed] = []
        self._notes: dict[str, tuple[str, int]] = {}

    def add(
        self,
        word: str,
        start: float | None,
        end: float | None,
        where: str,
        confidence: float | None = None,
    ) -> None:
        """start, end: seconds, or both None where they are not known; where: file and line, for errors.

        Raises ManifestError for times that are no times, that go back, or of which one is missing.
        """
        word = word.strip()
        if NOT_IN_TEXT.search(word):
            raise ManifestError(f"{where}: a word holds NUL or half a surrogate pair")
        if not word:
            self._note(where, "a word without text was left out")
        elif start is None and end is None:
            self._untimed.append(_Untimed(word, where, confidence))
        elif start is None or end is None:
            raise ManifestError(f"{where}: {word!r} has no {'start' if start is None else 'end'}")
        else:
            self._add_timed(Word(word, self._time(word, start, where), end, confidence), where)

    def place_untimed(self, end: float | None = None) -> None:
        """What stands without times since the last word that had some is over at `end` (None: takes no time)."""
        if self._untimed:
            last = self._words[-1].end if self._words else 0.0
            self._place(max(last, last if end is None else end))

    def build(self, end: float | None = None) -> Alignment:
        """All of them. end: as for `close`."""
        self.place_untimed(end)
        notes = (
            f"{where}: {what}" + (f", and {count - 1} more" if count > 1 else "")
            for what, (where, count) in self._notes.items()
        )
        return Alignment(tuple(self._words), tuple(notes))

    def _time(self, word: str, start: float, where: str) -> float:
        if not (math.isfinite(start) and start >= -_ROUNDING):
            raise ManifestError(f"{where}: {word!r} begins at {start:g} s, which is no time")
        return max(start, 0.0)

    def _add_timed(self, word: Word, where: str) -> None:
        if not (math.isfinite(word.end) and word.end >= word.start):
            raise ManifestError(
                f"{where}: {word.word!r} begins at {word.start:g} s and ends at {word.end:g} s, before that"
            )
        before = self._words[-1] if self._words else None
        if before and word.start < before.start:
            raise ManifestError(
                f"{where}: {word.word!r} begins at {word.start:g} s, before the word before it ({before.word!r}, "
                f"at {before.start:g} s); words must be in the order of time"
            )
        if before and word.start < before.end:
            if before.end - word.start > _ROUNDING:
                self._note(where, "words overlapped; the first ends now where the second begins")
            self._words[-1] = replace(before, end=word.start)
        if self._untimed:
            self._place(word.start)
        self._words.append(word)

    def _place(self, end: float) -> None:
        """Put the words that have no times between the last that has and `end`."""
        start = self._words[-1].end if self._words else 0.0
        shares = list(accumulate((len(untimed.word) for untimed in self._untimed), initial=0))
        # the last as it is given, not a rounding step after it
        edges = [*(min(start + (end - start) * share / shares[-1], end) for share in shares[:-1]), end]
        for untimed, times in zip(self._untimed, pairwise(edges), strict=True):
            self._note(untimed.where, "a word had no times, and got those of the gap that it stands in")
            self._words.append(Word(untimed.word, *times, untimed.confidence))
        self._untimed = []

    def _note(self, where: str, what: str) -> None:
        first, count = self._notes.get(what, (where, 0))
        self._notes[what] = (first, count + 1)


def trim_alignment(alignment: Alignment, seconds: float, slack: float = _ROUNDING) -> Alignment:
    """The alignment, of a sound of so many seconds: a word that goes on past its end is cut off there.

    slack: seconds by which the sound's end may not be known well; nothing is said of words that go on no longer.
    Raises AlignmentError where a word begins after the end: then the two are of different recordings, or parts.
    """
    words = list(alignment.words)
    notes = list(alignment.notes)
    for place, word in enumerate(words):
        if word.start > seconds + slack:
            raise AlignmentError(
                f"word {place + 1}, {word.word!r}, begins at {word.start:.2f} s, but the sound ends at "
                f"{seconds:.2f} s"
            )
        if word.end > seconds:
            if word.end > seconds + slack:
                notes.append(
                    f"word {place + 1}, {word.word!r}, ended at {word.end:.2f} s; it ends now with the sound, at "
                    f"{seconds:.2f} s"
                )
            words[place] = replace(word, start=min(word.start, seconds), end=seconds)
    return Alignment(tuple(words), tuple(notes))
