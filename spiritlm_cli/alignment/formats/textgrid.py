"""TextGrid, the annotation format of Praat, MFA and MAUS."""

import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Literal

from spiritlm_cli.alignment.formats.textgrid_tokens import Tokens
from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.clip import Alignment, Word
from spiritlm_cli.manifests.labels import Label, classify
from spiritlm_cli.manifests.word_times import AlignmentBuilder
from spiritlm_cli.text_files import read_whole

TierName = Literal["words", "phones"]
# The maximum number of characters that Praat reads as one number.
_MAX_NUMBER_LENGTH = 40


@dataclass(frozen=True)
class Interval:
    """A label from `start` to `end` seconds, which are equal for a point. where: file and line of what was read."""

    start: float
    end: float
    label: str
    where: str = ""


@dataclass(frozen=True)
class Tier:
    """Intervals in time order, or points."""

    name: str
    intervals: list[Interval]
    of_points: bool = False

    @property
    def kind(self) -> str:
        """The class of the tier in Praat."""
        return "TextTier" if self.of_points else "IntervalTier"


def read_textgrid(path: Path | str, keep_labels: bool = False, tier: TierName = "words") -> Alignment:
    """Read the words of a TextGrid that was saved as text or short text, in UTF-8 or UTF-16.

    They are in the tier "words", in the only tier "SPEAKER - words", or in the only interval tier. In a label with
    several tokens, the token with letters or digits (the first, if none has any) is the word, and the others are words
    without duration. If several tokens have letters or digits, the label is one word with spaces.
    keep_labels: see `AlignmentBuilder`. tier: "phones" reads phones in place of words.

    Raises ManifestError, with file and line, for a damaged or binary file, for a number of tiers or intervals that is
    not that in the file, for several speakers, and for words that `AlignmentBuilder` refuses.
    """
    tokens = Tokens(_decode(read_whole(path), str(path)), str(path))
    words = AlignmentBuilder(keep_labels)
    for interval in _select_tier(list(_read_interval_tiers(tokens)), tier, str(path)).intervals:
        if not interval.label.strip():
            continue
        before, word, after = _split_label(interval.label)
        for token in before:
            words.add(token, interval.start, interval.start, interval.where)
        words.add(word, interval.start, interval.end, interval.where)
        for token in after:
            words.add(token, interval.end, interval.end, interval.where)
    return words.build()


def format_textgrid(alignment: Alignment, seconds: float, short: bool = False) -> str:
    """A TextGrid with one tier, "words", for audio of the given duration. short: in Praat's short text format.

    Intervals have a duration in Praat. So a word without duration is added to the label of the word before it, or of
    the first word. If it has no letters or digits, `read_textgrid` reads it as a word without duration at the end (or
    start) of that word; otherwise it reads the two as one word. Confidences are not written.

    Raises ManifestError for words that would be read as silence, and if neither audio nor words have a duration.
    """
    end = max([seconds, *(word.end for word in alignment.words)])
    if end <= 0:
        raise ManifestError("a TextGrid can't be written for audio without duration")
    intervals = word_intervals(alignment.words, end)
    for interval in intervals:
        if classify(interval.label) is Label.SILENCE:
            raise ManifestError(
                f"the word {interval.label!r} can't be written as a TextGrid, since it would be read as silence"
            )
    return format_tiers([Tier("words", intervals)], end, short)


def _decode(content: bytes, name: str) -> str:
    if content.startswith(b"ooBinaryFile"):
        raise ManifestError(f"{name}: a binary TextGrid; open it in Praat and save it as a text file")
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError:
        raise ManifestError(f"{name}: neither UTF-8 nor UTF-16 text") from None
    if '"ooTextFile' not in text[:200]:
        raise ManifestError(f"{name}: not a TextGrid in a text format")
    return text


def _read_interval_tiers(tokens: Tokens) -> Iterator[Tier]:
    tokens.string()
    kind = tokens.string()
    if kind != "TextGrid":
        raise ManifestError(f"{tokens.where}: a {kind[:40]}, not a TextGrid")
    start = tokens.number()
    if start != 0:
        raise ManifestError(
            f"{tokens.where}: starts at {start:g} s, but must start at 0 (in Praat: Shift times to...)"
        )
    tokens.number()
    declared = tokens.count() if tokens.flag() == "<exists>" else 0
    where, found = tokens.where, 0
    while tokens.next_kind == "string":
        yield from _read_tier(tokens)
        found += 1
    _check_count(declared, found, "the file says that it has", "tiers", where)
    if tokens.next_kind:
        tokens.string()


def _read_tier(tokens: Tokens) -> Iterator[Tier]:
    """Yield a tier, if it is of intervals. Raises ManifestError if it has not as many of them as it says."""
    kind, name = tokens.string(), tokens.string()
    if kind not in ("IntervalTier", "TextTier"):
        raise ManifestError(f"{tokens.where}: {kind[:40]!r} is not a known kind of tier")
    tokens.number(), tokens.number()
    declared, where = tokens.count(), tokens.where
    intervals = []
    while tokens.next_kind == "number":
        if kind == "IntervalTier":
            intervals.append(_read_interval(tokens))
        else:
            point = tokens.number()
            intervals.append(Interval(point, point, tokens.string()))
    what = "intervals" if kind == "IntervalTier" else "points"
    _check_count(declared, len(intervals), f"the tier {name[:40]!r} says that it has", what, where)
    if kind == "IntervalTier":
        yield Tier(name, intervals)


def _check_count(declared: int, found: int, says: str, what: str, where: str) -> None:
    """Raise ManifestError unless as many parts follow as the file says, since then some would be lost."""
    if found != declared:
        reason = "correct the number" if found > declared else "the file may be cut off"
        raise ManifestError(f"{where}: {says} {declared} {what}, but {found} follow; {reason}")


def _read_interval(tokens: Tokens) -> Interval:
    start, where = tokens.number(), tokens.where
    return Interval(start, tokens.number(), tokens.string(), where)


def _select_tier(tiers: list[Tier], what: TierName, name: str) -> Tier:
    pattern = f"{what}?"  # word, words
    named = [tier for tier in tiers if re.fullmatch(pattern, tier.name.strip(), re.IGNORECASE)]
    of_speakers = [
        tier
        for tier in tiers
        if re.fullmatch(f".* - {pattern}", tier.name.strip(), re.IGNORECASE | re.DOTALL)
    ]
    candidates = named or of_speakers or tiers
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        raise ManifestError(f"{name}: no interval tier")
    names = ", ".join(tier.name for tier in (tiers if candidates is named else candidates))
    if candidates is of_speakers:
        raise ManifestError(f"{name}: {what} of several speakers, but a clip has one ({names})")
    raise ManifestError(
        f"{name}: can't tell which tier has the {what}; name one of these tiers {what}: {names}"
    )


def _split_label(label: str) -> tuple[list[str], str, list[str]]:
    """The tokens of a label that come before its word, the word, and the tokens after it."""
    tokens = label.split()
    spoken = [
        index
        for index, token in enumerate(tokens)
        if any(map(str.isalnum, token)) and (len(tokens) == 1 or classify(token) is None)
    ] or [0]
    if len(spoken) > 1:
        return [], label, []
    return tokens[: spoken[0]], tokens[spoken[0]], tokens[spoken[0] + 1 :]


def word_intervals(words: Sequence[Word], end: float) -> list[Interval]:
    """Intervals of words in time order, without overlaps. A word without duration is added to the label of the one
    before it, or of the first; if none has a duration, all are one interval from 0 to `end` seconds."""
    timed: list[tuple[float, float, list[str]]] = []
    leading: list[str] = []
    for word in words:
        if word.end > word.start:
            timed.append((word.start, word.end, [word.word] if timed else [*leading, word.word]))
        elif timed:
            timed[-1][2].append(word.word)
        else:
            leading.append(word.word)
    if leading and not timed:
        timed.append((0.0, end, leading))
    return [Interval(start, end, " ".join(tokens)) for start, end, tokens in timed]


def format_tiers(tiers: Sequence[Tier], end: float, short: bool = False) -> str:
    """A TextGrid of tiers from 0 to `end` seconds. short: in Praat's short text format.

    Time without an interval becomes an interval with an empty label, since the intervals of a tier are adjacent in
    Praat. Points are at times of their own, in time order.
    """
    filled = [
        tier if tier.of_points else replace(tier, intervals=_fill_gaps(tier.intervals, end)) for tier in tiers
    ]
    return "\n".join(_short_lines(filled, end) if short else _long_lines(filled, end)) + "\n"


def _fill_gaps(intervals: Sequence[Interval], end: float) -> list[Interval]:
    filled: list[Interval] = []
    last = 0.0
    for interval in intervals:
        if interval.start > last:
            filled.append(Interval(last, interval.start, ""))
        filled.append(interval)
        last = interval.end
    if end > last:
        filled.append(Interval(last, end, ""))
    return filled


def _long_lines(tiers: Sequence[Tier], end: float) -> Iterator[str]:
    yield from ('File type = "ooTextFile"', 'Object class = "TextGrid"', "")
    limits = ("xmin = 0", f"xmax = {_format_seconds(end)}")
    yield from (*limits, "tiers? <exists>", f"size = {len(tiers)}", "item []:")
    for tier_number, tier in enumerate(tiers, 1):
        parts = "points" if tier.of_points else "intervals"
        yield f"    item [{tier_number}]:"
        head = (f'class = "{tier.kind}"', f"name = {_quote(tier.name)}", *limits)
        yield from (f"        {line}" for line in (*head, f"{parts}: size = {len(tier.intervals)}"))
        for number, interval in enumerate(tier.intervals, 1):
            yield f"        {parts} [{number}]:"
            if tier.of_points:
                yield f"            number = {_format_seconds(interval.start)}"
                yield f"            mark = {_quote(interval.label)}"
            else:
                yield f"            xmin = {_format_seconds(interval.start)}"
                yield f"            xmax = {_format_seconds(interval.end)}"
                yield f"            text = {_quote(interval.label)}"


def _short_lines(tiers: Sequence[Tier], end: float) -> Iterator[str]:
    yield from ('File type = "ooTextFile"', 'Object class = "TextGrid"', "")
    limits = ("0", _format_seconds(end))
    yield from (*limits, "<exists>", str(len(tiers)))
    for tier in tiers:
        yield from (f'"{tier.kind}"', _quote(tier.name), *limits, str(len(tier.intervals)))
        for interval in tier.intervals:
            yield _format_seconds(interval.start)
            if not tier.of_points:
                yield _format_seconds(interval.end)
            yield _quote(interval.label)


def _format_seconds(seconds: float) -> str:
    """The shortest decimal that is read as the same float, without an exponent if it is short enough."""
    exact = repr(float(seconds))
    decimal = format(Decimal(exact), "f")
    return decimal if len(decimal) <= _MAX_NUMBER_LENGTH else exact


def _quote(label: str) -> str:
    return '"' + label.replace('"', '""') + '"'
