"""CTM, the time-marked format of NIST's scoring tools and of Kaldi: `recording channel start duration word`."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import groupby

from spiritlm_cli.alignment.formats.index import duplicate_error
from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.clip import Alignment
from spiritlm_cli.manifests.labels import Label, classify
from spiritlm_cli.manifests.word_times import AlignmentBuilder

# Types of lines, in the seventh column, that are not words.
_NON_WORD_TYPES = frozenset(("non-lex", "misc", "noscore"))
_ALTERNATIVES = frozenset(("<ALT_BEGIN>", "<ALT>", "<ALT_END>"))


def recording_of(text: str) -> str | None:
    """The name of a line's recording, or None for a blank line or a comment."""
    columns = text.split(maxsplit=1)
    return None if not columns or text.startswith(";;") else columns[0]


def read_ctm(
    lines: Iterable[tuple[int, str]], name: str, keep_labels: bool = False
) -> Iterator[tuple[str, Alignment]]:
    """Read the recordings of a CTM. lines: with their numbers; name: of the file, for errors. Yields (name, words).

    A line may have a sixth column, the confidence (or NA), and NIST's type and speaker after it. Lines whose type is
    not a word are skipped. keep_labels: see `AlignmentBuilder`.

    Raises ManifestError, with file and line, for a malformed line, for a recording with several channels or whose lines
    are not adjacent, for alternatives (<ALT_BEGIN>), and for words that `AlignmentBuilder` refuses.
    """
    seen: set[str] = set()
    rows = ((line_number, text) for line_number, text in lines if recording_of(text) is not None)
    for recording, block in groupby(rows, lambda row: str(recording_of(row[1]))):
        words = AlignmentBuilder(keep_labels)
        channel = None
        for line_number, text in block:
            where = f"{name}: line {line_number}"
            if recording in seen:
                raise duplicate_error(recording, where)
            columns = text.split()
            _add_word(words, columns, where)
            if channel not in (None, columns[1]):
                raise ManifestError(
                    f"{where}: {recording!r} has channels {channel!r} and {columns[1]!r}, and a clip has one"
                )
            channel = columns[1]
        seen.add(recording)
        yield recording, words.build()


def format_ctm(clip_id: str, alignment: Alignment) -> str:
    """The lines of a clip on channel 1, each with a line end. Times and confidence have three decimals.

    Raises ManifestError for an id or a word that contains a space or would be read as something else.
    """
    if recording_of(clip_id) != clip_id:
        raise ManifestError(
            f"the id {clip_id!r} can't be written as CTM: it is empty, a comment or has spaces"
        )
    lines = []
    for word in alignment.words:
        if word.word.split() != [word.word]:
            raise ManifestError(
                f"{clip_id}: the word {word.word!r} can't be written as CTM, since it has spaces"
            )
        if word.word in _ALTERNATIVES or classify(word.word) is Label.SILENCE:
            raise ManifestError(
                f"{clip_id}: the word {word.word!r} can't be written as CTM, since it would not be read as a word"
            )
        # The duration is that of the rounded times: otherwise a word could overlap the next.
        start, end = round(word.start * 1000), round(word.end * 1000)
        confidence = "" if word.confidence is None else f" {word.confidence:.3f}"
        times = f"{_format_milliseconds(start)} {_format_milliseconds(end - start)}"
        lines.append(f"{clip_id} 1 {times} {word.word}{confidence}\n")
    return "".join(lines)


def _add_word(words: AlignmentBuilder, columns: list[str], where: str) -> None:
    if len(columns) > 4 and columns[4] in _ALTERNATIVES:
        raise ManifestError(f"{where}: alternatives ({columns[4]}) are not supported")
    if not 5 <= len(columns) <= 8:
        raise ManifestError(f"{where}: not 'recording channel start duration word [confidence]'")
    _, _, start, duration, word, *rest = columns
    # NIST's seventh column is the type, the eighth the speaker.
    if len(rest) > 1 and rest[1] in _NON_WORD_TYPES:
        return
    begin, length = _parse_number(start, "start", where), _parse_number(duration, "duration", where)
    confidence = float(_parse_number(rest[0], "confidence", where)) if rest and rest[0] != "NA" else None
    if confidence is not None and not 0 <= confidence <= 1:
        raise ManifestError(f"{where}: confidence is not a number from 0 to 1: {rest[0]!r}")
    # Added as decimals: 0.1 and 0.2 end at 0.3.
    words.add(word, float(begin), float(begin + length), where, confidence)


def _parse_number(text: str, column: str, where: str) -> Decimal:
    try:
        number = Decimal(text)
    except ArithmeticError:
        number = Decimal("nan")
    if not number.is_finite():
        raise ManifestError(f"{where}: {column} is not a number: {text[:40]!r}")
    return number


def _format_milliseconds(milliseconds: int) -> str:
    return f"{milliseconds // 1000}.{milliseconds % 1000:03}"
