"""Build alignments from word times of other programs: repair small defects and note it, refuse the rest."""

import math
import re
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from spiritlm_cli.errors import AlignmentError, ManifestError
from spiritlm_cli.manifests.clip import Alignment, Word
from spiritlm_cli.manifests.labels import Label, classify, unknown_word_error
from spiritlm_cli.manifests.times import ROUNDING

# Characters that no text can contain, as token lines can't hold them.
NOT_IN_TEXT = re.compile(r"[\0\ud800-\udfff]")


@dataclass(frozen=True)
class _UntimedWord:
    """A word without times. where: file and line, for notes."""

    word: str
    where: str
    confidence: float | None


class AlignmentBuilder:
    """Build the alignment of one clip from words in time order.

    A word without text is left out, and so are labels of silence and noise (`classify`). Of two words that overlap, the
    first ends at the start of the second. Words without times share the gap between their neighbors in proportion to
    their lengths in characters. The notes of the alignment list these repairs, except silences.
    """

    def __init__(self, keep_labels: bool = False, keep_silences: bool = False) -> None:
        """keep_labels: take labels of noise and of unknown words as words; keep_silences: those of silence, too."""
        self._keep_labels, self._keep_silences = keep_labels, keep_silences
        self._words: list[Word] = []
        self._untimed: list[_UntimedWord] = []
        self._notes: dict[str, tuple[str, int]] = {}

    def add(
        self,
        word: str,
        start: float | None,
        end: float | None,
        where: str,
        confidence: float | None = None,
    ) -> None:
        """Add the next word.

        start, end: in seconds; both None if unknown. where: file and line, for errors and notes. confidence: 0 to 1.
        Raises ManifestError for invalid times, times before those of the word before, a missing start or end, and a
        label of an unknown word.
        """
        word = word.strip()
        if NOT_IN_TEXT.search(word):
            raise ManifestError(f"{where}: a word holds NUL or half a surrogate pair")
        label = classify(word)
        if not word:
            self._note(where, "a word without text was left out")
        elif label is Label.SILENCE and not self._keep_silences:
            return
        elif label is Label.UNKNOWN and not self._keep_labels:
            raise unknown_word_error(word, where)
        elif label is Label.NOISE and not self._keep_labels:
            self._note(where, "a label of noise was left out")
        elif start is None and end is None:
            self._untimed.append(_UntimedWord(word, where, confidence))
        elif start is None or end is None:
            raise ManifestError(f"{where}: {word!r} has no {'start' if start is None else 'end'}")
        else:
            self._add_timed(Word(word, self._check_start(word, start, where), end, confidence), where)

    def place_untimed(self, end: float | None = None) -> None:
        """Give times to the words without times added last: from the end of the word before them to `end`.

        end: in seconds; None gives them no duration.
        """
        if self._untimed:
            last = self._words[-1].end if self._words else 0.0
            self._fill_gap(max(last, last if end is None else end))

    def build(self, end: float | None = None) -> Alignment:
        """Return the alignment of all words. end: of the last words, if they have no times; see `place_untimed`."""
        self.place_untimed(end)
        notes = (
            f"{where}: {repair}" + (f", and {count - 1} more" if count > 1 else "")
            for repair, (where, count) in self._notes.items()
        )
        return Alignment(tuple(self._words), tuple(notes))

    def _check_start(self, word: str, start: float, where: str) -> float:
        """Return the start, or 0 if it is below 0 by no more than a rounding error. Raises ManifestError."""
        if not (math.isfinite(start) and start >= -ROUNDING):
            raise ManifestError(f"{where}: {word!r} begins at {start:g} s, which is not a valid time")
        return max(start, 0.0)

    def _add_timed(self, word: Word, where: str) -> None:
        """Add a word with times, and shorten the word before if they overlap. Raises ManifestError."""
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
            if before.end - word.start > ROUNDING:
                self._note(where, "words overlapped; the first now ends where the second begins")
            self._words[-1] = replace(before, end=word.start)
        if self._untimed:
            self._fill_gap(word.start)
        self._words.append(word)

    def _fill_gap(self, end: float) -> None:
        """Divide the time from the end of the last word to `end` among the words without times."""
        start = self._words[-1].end if self._words else 0.0
        lengths = list(accumulate((len(untimed.word) for untimed in self._untimed), initial=0))
        # the last edge is exactly `end`, without a rounding error
        edges = [*(min(start + (end - start) * length / lengths[-1], end) for length in lengths[:-1]), end]
        for untimed, times in zip(self._untimed, pairwise(edges), strict=True):
            self._note(untimed.where, "a word had no times, and got those of the gap that it is in")
            self._words.append(Word(untimed.word, *times, untimed.confidence))
        self._untimed = []

    def _note(self, where: str, repair: str) -> None:
        """Count a repair; its note names the first place only."""
        first, count = self._notes.get(repair, (where, 0))
        self._notes[repair] = (first, count + 1)


def trim_alignment(alignment: Alignment, seconds: float, slack: float = ROUNDING) -> Alignment:
    """Return the alignment with words that exceed the end of the audio cut off there.

    seconds: duration of the audio. slack: uncertainty of the duration, in seconds; a word that exceeds it by no more is
    cut without a note.
    Raises AlignmentError if a word begins after the end: then the alignment is of another recording, or another part.
    """
    words = list(alignment.words)
    notes = list(alignment.notes)
    for index, word in enumerate(words):
        if word.start > seconds + slack:
            raise AlignmentError(
                f"word {index + 1}, {word.word!r}, begins at {word.start:.2f} s, but the audio ends at "
                f"{seconds:.2f} s"
            )
        if word.end > seconds:
            if word.end > seconds + slack:
                notes.append(
                    f"word {index + 1}, {word.word!r}, ended at {word.end:.2f} s; it now ends with the audio, at "
                    f"{seconds:.2f} s"
                )
            words[index] = replace(word, start=min(word.start, seconds), end=seconds)
    return Alignment(tuple(words), tuple(notes))
