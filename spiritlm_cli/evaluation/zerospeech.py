"""`wuggy`, and `blimp` on speech: the folders of ZeroSpeech 2021 (sWUGGY, sBLIMP), read as pairs.

Nguyen et al. 2020, "The Zero Resource Speech Benchmark 2021". `lexical/{dev,test}` and `syntactic/{dev,test}` hold WAV
files and, where the answers are public, `gold.csv`.
"""

import math
from collections.abc import Iterable, Iterator
from collections.abc import Sequence as TypingSequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.pair_files import table_rows
from spiritlm_cli.evaluation.pair_report import pair_result
from spiritlm_cli.evaluation.pairs import BadPair, Candidate, Entry, Group, Pair, Unpaired
from spiritlm_cli.evaluation.records import Record, RunDescription
from spiritlm_cli.evaluation.result import EvaluationResult, Published
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.manifests.word_times import NOT_IN_TEXT
from spiritlm_cli.tokens.sequence import Sequence, TextSpan

Benchmark = Literal["lexical", "syntactic"]

PUBLISHED = {
    ("lexical", "speech"): (
        Published("Base", {"by_mean": 69.0}),
        Published("Expressive", {"by_mean": 65.0}),
    ),
    ("lexical", "text"): (Published("Base", {"by_mean": 80.3}), Published("Expressive", {"by_mean": 75.8})),
    ("syntactic", "speech"): (
        Published("Base", {"by_mean": 58.3}),
        Published("Expressive", {"by_mean": 54.2}),
    ),
    ("syntactic", "text"): (
        Published("Base", {"by_mean": 73.3}),
        Published("Expressive", {"by_mean": 73.6}),
    ),
}

# Upper limits, exclusive, and names of the frequency bands: occurrences of the word in LibriSpeech. The challenge's own
# evaluation prints these bands as 1-5, 6-20, 21-100 and >100, but counts 5, 20 and 100 in the upper one.
_BANDS = ((1, "oov"), (5, "1–4"), (20, "5–19"), (100, "20–99"), (math.inf, "100+"))

_COLUMNS = {
    "lexical": ("id", "frequency", "correct"),
    "syntactic": ("id", "type", "subtype", "correct"),
}
_TEXT_COLUMN = {"lexical": "word", "syntactic": "transcription"}


@dataclass(frozen=True)
class Part:
    """One folder of a benchmark, such as dev or test. gold: its `gold.csv`; None: the answers are not public."""

    benchmark: Benchmark
    name: str
    folder: Path
    gold: Path | None


@dataclass(frozen=True)
class _Row:
    """A row of `gold.csv`. key: identifies the pair, together with the voice; correct: of which side it is."""

    source: str
    key: tuple[str, ...]
    voice: str | None
    correct: bool
    groups: tuple[Group, ...]
    candidate: Candidate


@dataclass
class _Sides:
    """The correct and the incorrect rows of a pair."""

    good: list[_Row] = field(default_factory=list)
    bad: list[_Row] = field(default_factory=list)


def find_parts(path: Path | str, benchmark: Benchmark) -> list[Part]:
    """Return the parts of a benchmark below a path: ZeroSpeech 2021's folder, `lexical` or `syntactic`, or dev or test.

    Raises ManifestError if there are none.
    """
    path = Path(path)
    base = path / benchmark if (path / benchmark).is_dir() else path
    folders = [base / name for name in ("dev", "test") if (base / name).is_dir()] or [base]
    parts = []
    for folder in folders:
        gold = folder / "gold.csv"
        if gold.is_file() or next(folder.glob("*.wav"), None):
            # The name of `.` is empty, so resolve it.
            parts.append(Part(benchmark, folder.resolve().name, folder, gold if gold.is_file() else None))
    if not parts:
        raise ManifestError(
            f"{path}: no ZeroSpeech folder: {benchmark}/dev or {benchmark}/test with gold.csv or wavs is not there"
        )
    return parts


def read_parts(
    path: Path | str, benchmark: Benchmark, *, text: bool = False, all_files: bool = False
) -> tuple[list[Entry], list[Path]]:
    """Read the entries of all parts below a path, and return them with the folders that have no `gold.csv`.

    text: score the words or sentences as text, not the WAV files; all_files: add an `Unpaired` for each WAV file in no
    pair. Bad entries come first. Raises ManifestError if there is no part, or nothing to score.
    """
    parts = find_parts(path, benchmark)
    without_gold = [part.folder for part in parts if not part.gold]
    if len(without_gold) == len(parts) and not all_files:
        raise ManifestError(f"{path}: no gold.csv there, so there is nothing to compare")
    entries: list[Entry] = []
    for part in parts:
        if text and part.gold:
            entries += read_text_pairs(part)
        elif not text:
            entries += read_speech_pairs(part, all_files)
    entries.sort(key=lambda entry: not isinstance(entry, BadPair))
    return entries, without_gold


def read_text_pairs(part: Part) -> list[Entry]:
    """Read the pairs of words or sentences as text of a part with `gold.csv`. All voices of an item make one pair.

    Bad entries come first. Raises ManifestError if `gold.csv` can't be read.
    """
    return _entries(part, text=True)


def read_speech_pairs(part: Part, all_files: bool = False) -> list[Entry]:
    """Read the pairs of WAV files of a part, one per voice, if it has `gold.csv`.

    all_files: add an `Unpaired` for each WAV file that is in no pair. Bad entries (invalid rows, rows without
    counterpart or WAV file) come first, so that a run can stop before it computes anything. Raises ManifestError if
    `gold.csv` can't be read.
    """
    entries = _entries(part, text=False) if part.gold else []
    if all_files:
        paired = {candidate.name for entry in entries for candidate in entry.candidates}
        for wav in sorted(part.folder.glob("*.wav")):
            if wav.stem not in paired:
                name = f"{part.name}/{wav.stem}"
                candidate = Candidate(wav.stem, str(wav), Clip(name, wav))
                entries.append(Unpaired(name, str(wav), candidate, part.name))
    return entries


def _entries(part: Part, text: bool) -> list[Entry]:
    bad: list[Entry] = []
    sides: dict[tuple[tuple[str, ...], str | None], _Sides] = {}
    names: set[str] = set()
    for row in _rows(part, text):
        if isinstance(row, BadPair):
            bad.append(row)
            continue
        pair = sides.setdefault((row.key, row.voice), _Sides())
        side = pair.good if row.correct else pair.bad
        name = row.candidate.name
        if text:
            if any(other.candidate.name == name for other in side):
                continue  # the same text in another voice
        elif name in names:
            bad.append(_bad_row(part, row, f"{name} was there before; a wav is in one row"))
            continue
        names.add(name)
        side.append(row)
    pairs = [_pair(part, pair) for pair in sides.values() if pair.good and pair.bad]
    return [*bad, *_without_counterpart(part, sides.values()), *pairs]


def _pair(part: Part, sides: _Sides) -> Pair:
    first = sides.good[0]
    return Pair(
        "/".join((part.name, *first.key, *([first.voice] if first.voice else []))),
        first.source,
        tuple(row.candidate for row in sides.good),
        tuple(row.candidate for row in sides.bad),
        first.groups,
        item="/".join(first.key),
        voice=first.voice,
        set=part.name,
    )


def _without_counterpart(part: Part, pairs: Iterable[_Sides]) -> Iterator[BadPair]:
    """Yield a bad entry for each row of a pair that has only one side."""
    for pair in pairs:
        if pair.good and pair.bad:
            continue
        for row in (*pair.good, *pair.bad):
            key = f"id {row.key[-1]}" + (f", voice {row.voice}" if row.voice else "")
            other = "incorrect" if row.correct else "correct"
            yield _bad_row(part, row, f"{row.candidate.name}: no {other} row has {key}")


def _bad_row(part: Part, row: _Row, reason: str) -> BadPair:
    error = ManifestError(f"{row.source}: {reason}")
    return BadPair(f"{part.name}/{row.candidate.name}", row.source, error, part.name)


def _rows(part: Part, text: bool) -> Iterator[_Row | BadPair]:
    """Yield the rows of `gold.csv`, and a bad entry in place of each row that can't be used."""
    assert part.gold is not None
    content = (_TEXT_COLUMN[part.benchmark],) if text else ("filename", "voice")
    for line_number, row in table_rows(part.gold, (*_COLUMNS[part.benchmark], *content)):
        source = f"{part.gold}: line {line_number}"
        name = f"line {line_number}"
        try:
            if isinstance(row, ManifestError):
                raise row
            if not text:
                name = row.cells["filename"].removesuffix(".wav") or name
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
        # The ids of sentences are unique only in their subtype.
        key = (cells["type"], cells["subtype"], cells["id"])
        groups = tuple(Group(kind, cells[kind]) for kind in ("type", "subtype"))
    candidate = _text_candidate(part, cells, source) if text else _speech_candidate(part, cells, source)
    voice = None if text else cells["voice"]
    return _Row(source, key, voice, cells["correct"] == "1", groups, candidate)


def _text_candidate(part: Part, cells: dict[str, str], source: str) -> Candidate:
    column = _TEXT_COLUMN[part.benchmark]
    text = cells[column]
    if not text.strip() or NOT_IN_TEXT.search(text):
        raise ManifestError(f"{source}: {column} is not text: {text!a}")
    return Candidate(text, source, Sequence.of([TextSpan(text)]))


def _speech_candidate(part: Part, cells: dict[str, str], source: str) -> Candidate:
    name = cells["filename"].removesuffix(".wav")
    if not name or any(char.isspace() or char in "/\\\0" for char in name):
        raise ManifestError(f"{source}: filename is not that of a wav here: {cells['filename']!a}")
    wav = part.folder / f"{name}.wav"
    if not wav.is_file():
        raise ManifestError(f"{source}: {wav}: no such file")
    return Candidate(name, str(wav), Clip(f"{part.name}/{name}", wav))


def _frequency_groups(text: str, source: str) -> tuple[Group, ...]:
    """Return the groups of a word by its number of occurrences in LibriSpeech; 0 or empty is out of vocabulary."""
    try:
        # pandas writes integers as decimals if a column has missing values.
        frequency = float(text or 0)
    except ValueError:
        frequency = -1.0
    if math.isnan(frequency):
        frequency = 0.0
    if not 0 <= frequency < math.inf:
        raise ManifestError(f"{source}: frequency is {text!a}, not a number of occurrences")
    index, band = next((index, band) for index, (limit, band) in enumerate(_BANDS) if frequency < limit)
    vocabulary = Group("vocabulary", "in") if index else Group("vocabulary", "out", 1)
    return vocabulary, Group("frequency", band, index)


def wuggy_result(description: RunDescription, records: TypingSequence[Record]) -> EvaluationResult | None:
    """Compute the result of words and non-words."""
    return pair_result(description, records, PUBLISHED["lexical", description.facts["read as"]])
