"""Praat's TextGrids, as MFA, MAUS and people write them.

The syntax is that of "TextGrid file formats" in Praat's manual: numbers, strings and flags with white space around them
count, everything else is for people.
"""

import codecs
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from spiritlm_cli.alignment.formats.labels import is_silence, is_word
from spiritlm_cli.errors import ManifestError
from spiritlm_cli.files import read_bytes
from spiritlm_cli.manifests.clip import Alignment
from spiritlm_cli.manifests.word_times import AlignmentBuilder

_TOKEN = re.compile(
    r"""(?<!\S)(?:
        !(?P<comment>[^\r\n]*)
      | "(?P<string>[^"]*(?:""[^"]*)*)"(?!\S)
      | (?P<quote>"\S*)
      | (?P<number>[-+]?[0-9]\S*)
      | (?P<flag><\S*)
    )""",
    re.VERBOSE,
)
# Praat reads "0.5s" as a number too.
_NUMBER = re.compile(r"([-+]?[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?)s?")
_LINE_END = re.compile(r"\r\n?|\n")
_WORDS = re.compile(r"words?", re.IGNORECASE)
_WORDS_OF_SPEAKER = re.compile(r"(.*) - words?", re.IGNORECASE | re.DOTALL)
# Characters that Praat takes for one number.
_LONGEST_NUMBER = 40


@dataclass(frozen=True)
class _Interval:
    start: float
    end: float
    label: str
    where: str = ""


@dataclass(frozen=True)
class _Tier:
    name: str
    intervals: list[_Interval]


class _Tokens:
    """The tokens of a TextGrid, taken one after another; ManifestError where another kind was due."""

    def __init__(self, text: str, name: str) -> None:
        self._found = (match for match in _TOKEN.finditer(text) if match.lastgroup != "comment")
        self._lines = [match.end() for match in _LINE_END.finditer(text)]
        self._length = len(text)
        self._name = name
        self.where = f"{name}: line 1"

    def number(self) -> float:
        token = self._next("number", "a number")
        number = _NUMBER.fullmatch(token)
        if not number:
            raise ManifestError(f"{self.where}: {token[:40]!r} is not a number")
        return float(number[1])

    def count(self) -> int:
        number = self.number()
        if not (number.is_integer() and number >= 0):
            raise ManifestError(f"{self.where}: {number:g} is not how many there are of something")
        return int(number)

    def string(self) -> str:
        return self._next("string", "a text in quotes").replace('""', '"')

    def flag(self) -> str:
        return self._next("flag", "<exists>")

    def _next(self, kind: str, due: str) -> str:
        match = next(self._found, None)
        place = match.start() if match else self._length
        self.where = f"{self._name}: line {bisect_right(self._lines, place) + 1}"
        if match is None:
            raise ManifestError(f"{self.where}: ends where {due} should be; is the file cut off?")
        if match.lastgroup == "quote":
            raise ManifestError(
                f"{self.where}: a quote that isn't closed, or one within a text that isn't doubled"
            )
        if match.lastgroup != kind:
            raise ManifestError(f"{self.where}: {due} should be where {match[0][:40]!r} is")
        return match[kind]


def read_textgrid(path: Path | str) -> Alignment:
    """The words of a TextGrid, saved as text or short text, in UTF-8 or UTF-16.

    They are those of the tier words, of the tier "somebody - words" where there is one such, or of the only
    interval tier. Labels for silence are gaps. Of a label with several tokens the one that has letters or digits
    (where none has, the first) is the word, and the others are words that take no time; where more than one
    has, the label is one word, with spaces in it.
    Raises ManifestError, with file and line, where the file is damaged, binary, of several speakers, or has the
    label of a word that the aligner didn't know; and for what `AlignmentBuilder` refuses.
    """
    tokens = _Tokens(_decoded(read_bytes(path), str(path)), str(path))
    words = AlignmentBuilder()
    for interval in _word_tier(list(_interval_tiers(tokens)), str(path)).intervals:
        if is_silence(interval.label, interval.where):
            continue
        before, word, after = _parted(interval.label)
        for token in before:
            words.add(token, interval.start, interval.start, interval.where)
        words.add(word, interval.start, interval.end, interval.where)
        for token in after:
            words.add(token, interval.end, interval.end, interval.where)
    return words.build()


def format_textgrid(alignment: Alignment, seconds: float, short: bool = False) -> str:
    """A TextGrid with one tier, words, for a sound of so many seconds; `read_textgrid` gives the words back.

    Praat knows no interval that takes no time, so a word that takes none goes into the label of the word before
    it, or, where there is none, of the first. It is read back at that word's end or start if it has no letters
    or digits; if it has, the two are read as one word. Confidence isn't written.
    Raises ManifestError for words that are labels for silence, and where neither sound nor words take time.
    """
    end = max([seconds, *(word.end for word in alignment.words)])
    if end <= 0:
        raise ManifestError("a TextGrid can't be written for a sound without length")
    intervals = _intervals(alignment, end)
    return "\n".join(_short(intervals, end) if short else _long(intervals, end)) + "\n"


def _decoded(content: bytes, name: str) -> str:
    if content.startswith(b"ooBinaryFile"):
        raise ManifestError(f"{name}: a binary TextGrid; open it in Praat, and save it as a text file")
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError:
        raise ManifestError(f"{name}: text that is neither UTF-8 nor UTF-16") from None
    if '"ooTextFile' not in text[:200]:
        raise ManifestError(f"{name}: not a TextGrid as Praat saves it as a text file")
    return text


def _interval_tiers(tokens: _Tokens) -> Iterator[_Tier]:
    tokens.string()
    kind = tokens.string()
    if kind != "TextGrid":
        raise ManifestError(f"{tokens.where}: a {kind[:40]}, not a TextGrid")
    start = tokens.number()
    if start != 0:
        raise ManifestError(
            f"{tokens.where}: begins at {start:g} s; a clip's times begin at 0 (in Praat: Shift times to...)"
        )
    tokens.number()
    for _ in range(tokens.count() if tokens.flag() == "<exists>" else 0):
        kind, name = tokens.string(), tokens.string()
        tokens.number(), tokens.number()
        if kind == "IntervalTier":
            yield _Tier(name, [_interval(tokens) for _ in range(tokens.count())])
        elif kind == "TextTier":
            for _ in range(tokens.count()):
                tokens.number(), tokens.string()
        else:
            raise ManifestError(f"{tokens.where}: {kind[:40]!r} is no kind of tier")


def _interval(tokens: _Tokens) -> _Interval:
    start, where = tokens.number(), tokens.where
    return _Interval(start, tokens.number(), tokens.string(), where)


def _word_tier(tiers: list[_Tier], name: str) -> _Tier:
    named = [tier for tier in tiers if _WORDS.fullmatch(tier.name.strip())]
    of_speakers = [tier for tier in tiers if _WORDS_OF_SPEAKER.fullmatch(tier.name.strip())]
    found = named or of_speakers or tiers
    if len(found) == 1:
        return found[0]
    if not found:
        raise ManifestError(f"{name}: no interval tier")
    names = ", ".join(tier.name for tier in (tiers if found is named else found))
    if found is of_speakers:
        raise ManifestError(f"{name}: words of several speakers, and a clip has one ({names})")
    raise ManifestError(f"{name}: which tier has the words? Name one of them words, of: {names}")


def _parted(label: str) -> tuple[list[str], str, list[str]]:
    """The word of a label, and the tokens before and after it that take no time."""
    tokens = label.split()
    spoken = [place for place, token in enumerate(tokens) if any(map(str.isalnum, token))] or [0]
    if len(spoken) > 1:
        return [], label, []
    return tokens[: spoken[0]], tokens[spoken[0]], tokens[spoken[0] + 1 :]


def _intervals(alignment: Alignment, end: float) -> list[_Interval]:
    """Words and gaps, without a break from 0 to `end`."""
    timed: list[tuple[float, float, list[str]]] = []
    early: list[str] = []
    for word in alignment.words:
        if word.end > word.start:
            timed.append((word.start, word.end, [word.word] if timed else [*early, word.word]))
        elif timed:
            timed[-1][2].append(word.word)
        else:
            early.append(word.word)
    if early and not timed:
        timed.append((0.0, end, early))
    intervals: list[_Interval] = []
    last = 0.0
    for start, stop, tokens in timed:
        if start > last:
            intervals.append(_Interval(last, start, ""))
        label = " ".join(tokens)
        if not is_word(label):
            raise ManifestError(f"the word {label!r} can't be written as a TextGrid, where it means no word")
        intervals.append(_Interval(start, stop, label))
        last = stop
    if end > last:
        intervals.append(_Interval(last, end, ""))
    return intervals


def _long(intervals: list[_Interval], end: float) -> Iterator[str]:
    yield from ('File type = "ooTextFile"', 'Object class = "TextGrid"', "")
    yield from (
        "xmin = 0",
        f"xmax = {_plain(end)}",
        "tiers? <exists>",
        "size = 1",
        "item []:",
        "    item [1]:",
    )
    tier = ('class = "IntervalTier"', 'name = "words"', "xmin = 0", f"xmax = {_plain(end)}")
    yield from (f"        {line}" for line in (*tier, f"intervals: size = {len(intervals)}"))
    for number, interval in enumerate(intervals, 1):
        yield f"        intervals [{number}]:"
        yield f"            xmin = {_plain(interval.start)}"
        yield f"            xmax = {_plain(interval.end)}"
        yield f"            text = {_quoted(interval.label)}"


def _short(intervals: list[_Interval], end: float) -> Iterator[str]:
    yield from ('File type = "ooTextFile"', 'Object class = "TextGrid"', "")
    yield from ("0", _plain(end), "<exists>", "1", '"IntervalTier"', '"words"', "0", _plain(end))
    yield str(len(intervals))
    for interval in intervals:
        yield from (_plain(interval.start), _plain(interval.end), _quoted(interval.label))


def _plain(seconds: float) -> str:
    """The shortest decimal that is read as the same float."""
    exact = repr(float(seconds))
    plain = format(Decimal(exact), "f")
    return plain if len(plain) <= _LONGEST_NUMBER else exact


def _quoted(label: str) -> str:
    return '"' + label.replace('"', '""') + '"'
