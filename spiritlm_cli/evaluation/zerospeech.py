"""ZeroSpeech 2021's folders of words (sWUGGY) and of sentences (sBLIMP), as pairs.

Nguyen et al. 2020, "The Zero Resource Speech Benchmark 2021". `lexical/{dev,test}` and `syntactic/{dev,test}` hold wavs
and, where the answers are public, `gold.csv`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.pair_files import table_rows
from spiritlm_cli.evaluation.pair_report import PublishedAccuracy
from spiritlm_cli.evaluation.pairs import (
    BadPair,
    Candidate,
    Entry,
    Group,
    Lone,
    Pair,
)
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.manifests.word_times import NOT_IN_TEXT
from spiritlm_cli.tokens.sequence import Sequence, TextSpan

Benchmark = Literal["lexical", "syntactic"]

PUBLISHED = {
    ("lexical", "speech"): (PublishedAccuracy("Base", 69.0), PublishedAccuracy("Expressive", 65.0)),
    ("lexical", "text"): (PublishedAccuracy("Base", 80.3), PublishedAccuracy("Expressive", 75.8)),
    ("syntactic", "speech"): (PublishedAccuracy("Base", 58.3), PublishedAccuracy("Expressive", 54.2)),
    ("syntactic", "text"): (PublishedAccuracy("Base", 73.3), PublishedAccuracy("Expressive", 73.6)),
}

# Where the challenge's own evaluation cuts: it prints these bands as 1-5, 6-20, 21-100 and >100, but 5, 20 and 100
# fall into the upper one. Occurrences of the word in LibriSpeech.
_BANDS = ((1, "oov"), (5, "1–4"), (20, "5–19"), (100, "20–99"), (math.inf, "100+"))

_COLUMNS = {
    "lexical": ("id", "frequency", "correct"),
    "syntactic": ("id", "type", "subtype", "correct"),
}
_TEXT = {"lexical": "word", "syntactic": "transcription"}


@dataclass(frozen=True)
class Part:
    """A folder of a benchmark, such as dev or test. gold: its answers, where they are there."""

    benchmark: Benchmark
    name: str
    folder: Path
    gold: Path | None


@dataclass(frozen=True)
class _Row:
    """A row of gold.csv. key: what makes a pair with rows of the other kind; content: what is scored."""

    source: str
    key: tuple[str, ...]
    voice: str | None
    correct: bool
    groups: tuple[Group, ...]
    candidate: Candidate


def find_parts(path: Path | str, benchmark: Benchmark) -> list[Part]:
    """The parts of a benchmark below `path`: ZeroSpeech 2021's folder, `lexical` or `syntactic` in it, or dev or test.

    Raises ManifestError where there are none.
    """
    path = Path(path)
    base = path / benchmark if (path / benchmark).is_dir() else path
    folders = [base / name for name in ("dev", "test") if (base / name).is_dir()] or [base]
    parts = []
    for folder in folders:
        gold = folder / "gold.csv"
        if gold.is_file() or next(folder.glob("*.wav"), None):
            # the name of `.` is empty
            parts.append(Part(benchmark, folder.resolve().name, folder, gold if gold.is_file() else None))
    if not parts:
        raise ManifestError(
            f"{path}: no ZeroSpeech folder: {benchmark}/dev or {benchmark}/test with gold.csv or wavs is not there"
        )
    return parts


def read_parts(
    path: Path | str, benchmark: Benchmark, *, text: bool = False, every: bool = False
) -> tuple[list[Entry], list[Path]]:
    """What of all parts below `path` is to be scored, and the folders that have no gold.csv, so nothing to compare.

    text: what is written, not the wavs; every: wavs that are in no pair, too, and so those of the parts without
    gold.csv. Raises ManifestError where there is no part, or nothing to score.
    """
    parts = find_parts(path, benchmark)
    without = [part.folder for part in parts if not part.gold]
    if len(without) == len(parts) and not every:
        raise ManifestError(f"{path}: no gold.csv there, so there is nothing to compare")
    entries: list[Entry] = []
    for part in parts:
        if text and part.gold:
            entries += read_text_pairs(part)
        elif not text:
            entries += read_speech_pairs(part, every)
    # what can't be used comes first in each part; it should in all
    entries.sort(key=lambda entry: not isinstance(entry, BadPair))
    return entries, without


def read_text_pairs(part: Part) -> list[Entry]:
    """The pairs of written words or sentences of a part with gold.csv; voices say the same, so they make one pair.

    Errors are as `read_speech_pairs` has them.
    """
    return _entries(part, text=True)


def read_speech_pairs(part: Part, every: bool = False) -> list[Entry]:
    """The pairs of wavs of a part, one a voice, if it has gold.csv. every: then all wavs that are in no pair, too.

    Rows that can't be used, have no counterpart or no wav come first, so that a run can end before its work.
    Raises ManifestError where gold.csv can't be read.
    """
    entries = _entries(part, text=False) if part.gold else []
    if every:
        paired = {candidate.name for entry in entries for candidate in entry.candidates}
        for wav in sorted(part.folder.glob("*.wav")):
            if wav.stem not in paired:
                name = f"{part.name}/{wav.stem}"
                candidate = Candidate(wav.stem, str(wav), Clip(name, wav))
                entries.append(Lone(name, str(wav), candidate, part.name))
    return entries


def _entries(part: Part, text: bool) -> list[Entry]:
    bad: list[Entry] = []
    # (item, voice) → the rows that should be likely and those that should not
    found: dict[tuple[tuple[str, ...], str | None], tuple[list[_Row], list[_Row]]] = {}
    seen: set[str] = set()
    for row in _rows(part, text):
        if isinstance(row, BadPair):
            bad.append(row)
            continue
        sides = found.setdefault((row.key, row.voice), ([], []))
        side = sides[0 if row.correct else 1]
        name = row.candidate.name
        if text:
            if any(other.candidate.name == name for other in side):
                continue
        elif name in seen:
            error = ManifestError(f"{row.source}: {name} was there before; a wav is in one row")
            bad.append(BadPair(f"{part.name}/{name}", row.source, error, part.name))
            continue
        seen.add(name)
        side.append(row)
    pairs: list[Entry] = []
    for (key, voice), (good, wrong) in found.items():
        if good and wrong:
            item = "/".join(key)
            name = "/".join((part.name, *key, *([voice] if voice else [])))
            pairs.append(
                Pair(
                    name,
                    good[0].source,
                    tuple(row.candidate for row in good),
                    tuple(row.candidate for row in wrong),
                    good[0].groups,
                    item,
                    voice,
                    part.name,
                )
            )
        for row in () if good and wrong else (*good, *wrong):
            whose = f"id {key[-1]}" + (f", voice {voice}" if voice else "")
            error = ManifestError(
                f"{row.source}: {row.candidate.name}: no {'incorrect' if row.correct else 'correct'} row has {whose}"
            )
            bad.append(BadPair(f"{part.name}/{row.candidate.name}", row.source, error, part.name))
    return bad + pairs


def _rows(part: Part, text: bool) -> Iterator[_Row | BadPair]:
    """The rows of gold.csv, and those that can't be used."""
    assert part.gold is not None
    needed = (*_COLUMNS[part.benchmark], *((_TEXT[part.benchmark],) if text else ("filename", "voice")))
    for number, row in table_rows(part.gold, needed):
        source = f"{part.gold}: line {number}"
        name = number
        try:
            if isinstance(row, ManifestError):
                raise row
            if not text:
                name = row.cells["filename"].removesuffix(".wav") or number
            yield _row(part, row.cells, source, text)
        except ManifestError as error:
            yield BadPair(f"{part.name}/{name}", source, error, part.name)


def _row(part: Part, cells: dict[str, str], source: str, text: bool) -> _Row:
    if not cells["id"]:
        raise ManifestError(f"{source}: id is empty")
    if cells["correct"] not in ("0", "1"):
        raise ManifestError(f"{source}: correct is {cells['correct']!a}, not 1 or 0")
    if part.benchmark == "lexical":
        key: tuple[str, ...] = (cells["id"],)
        groups = _frequency_groups(cells["frequency"], source)
    else:
        # ids of sentences are counted anew in each subtype
        key = (cells["type"], cells["subtype"], cells["id"])
        groups = tuple(Group(kind, cells[kind]) for kind in ("type", "subtype"))
    candidate = _written(part, cells, source) if text else _spoken(part, cells, source)
    voice = None if text else cells["voice"]
    return _Row(source, key, voice, cells["correct"] == "1", groups, candidate)


def _written(part: Part, cells: dict[str, str], source: str) -> Candidate:
    column = _TEXT[part.benchmark]
    text = cells[column]
    if not text.strip() or NOT_IN_TEXT.search(text):
        raise ManifestError(f"{source}: {column} is not text: {text!a}")
    return Candidate(text, source, Sequence.of([TextSpan(text)]))


def _spoken(part: Part, cells: dict[str, str], source: str) -> Candidate:
    name = cells["filename"].removesuffix(".wav")
    if not name or any(char.isspace() or char in "/\\\0" for char in name):
        raise ManifestError(f"{source}: filename is not that of a wav here: {cells['filename']!a}")
    wav = part.folder / f"{name}.wav"
    if not wav.is_file():
        raise ManifestError(f"{source}: {wav}: no such file")
    return Candidate(name, str(wav), Clip(f"{part.name}/{name}", wav))


def _frequency_groups(text: str, source: str) -> tuple[Group, ...]:
    """Of a word that is so often in LibriSpeech; 0 and nothing are out of vocabulary."""
    try:
        # pandas writes whole numbers with a fraction where some are missing
        frequency = float(text or 0)
    except ValueError:
        frequency = -1.0
    if math.isnan(frequency):
        frequency = 0.0
    if not 0 <= frequency < math.inf:
        raise ManifestError(f"{source}: frequency is {text!a}, not a number of occurrences")
    place, band = next((place, band) for place, (end, band) in enumerate(_BANDS) if frequency < end)
    vocabulary = Group("vocabulary", "in") if place else Group("vocabulary", "out", 1)
    return vocabulary, Group("frequency", band, place)
