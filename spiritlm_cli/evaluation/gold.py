"""Rows of ZeroSpeech's `gold.csv`: which WAV file, or which text, is the correct one of a pair."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.pair_files import table_rows
from spiritlm_cli.evaluation.pairs import BadPair, Candidate, Group
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.manifests.word_times import NOT_IN_TEXT
from spiritlm_cli.tokens.sequence import Sequence, TextSpan

# Upper limits, exclusive, and names of the frequency bands: occurrences of the word in LibriSpeech. The challenge's own
# evaluation prints these bands as 1-5, 6-20, 21-100 and >100, but counts 5, 20 and 100 in the upper one.
_BANDS = ((1, "oov"), (5, "1–4"), (20, "5–19"), (100, "20–99"), (math.inf, "100+"))


@dataclass(frozen=True)
class Benchmark:
    """A benchmark of ZeroSpeech in which likelihoods are compared.

    folder: of its parts. key: columns that identify a pair, together with the voice. groups: columns of the groups that
    accuracies are reported for. text: column of what is said. submission: names of the submission files, in which
    `{part}` is that of the part.
    """

    folder: str
    key: tuple[str, ...]
    groups: tuple[str, ...]
    text: str
    submission: str


# The ids of sentences are unique only in their subtype.
LEXICAL = Benchmark("lexical", ("id",), (), "word", "lexical/{part}.txt")
SYNTACTIC = Benchmark(
    "syntactic", ("type", "subtype", "id"), ("type", "subtype"), "transcription", "syntactic/{part}.txt"
)
PROSODIC = Benchmark("english", ("type", "id"), ("type",), "transcription", "english_{part}.txt")


@dataclass(frozen=True)
class GoldRow:
    """A row of `gold.csv`. key: identifies the pair, together with the voice; correct: of which side it is."""

    source: str
    key: tuple[str, ...]
    voice: str | None
    correct: bool
    groups: tuple[Group, ...]
    candidate: Candidate


def read_gold(folder: Path, part: str, benchmark: Benchmark, text: bool) -> Iterator[GoldRow | BadPair]:
    """Yield the rows of the `gold.csv` in a folder, and a bad entry in place of each row that can't be used.

    part: the name of the folder's part, such as dev. text: read the column of the text, not the WAV files. Raises
    ManifestError if the file can't be read or lacks a column.
    """
    gold = folder / "gold.csv"
    columns = ["frequency"] if benchmark is LEXICAL else []
    columns += [benchmark.text] if text else ["filename", "voice"]
    for line_number, row in table_rows(gold, (*benchmark.key, *columns, "correct")):
        source = f"{gold}: line {line_number}"
        name = f"line {line_number}"
        try:
            if isinstance(row, ManifestError):
                raise row
            if not text:
                name = row.cells["filename"].removesuffix(".wav") or name
            yield _row(folder, part, benchmark, row.cells, source, text)
        except ManifestError as error:
            yield BadPair(f"{part}/{name}", source, error, part)


def _row(
    folder: Path, part: str, benchmark: Benchmark, cells: dict[str, str], source: str, text: bool
) -> GoldRow:
    if not cells["id"]:
        raise ManifestError(f"{source}: id is empty")
    if cells["correct"] not in ("0", "1"):
        raise ManifestError(f"{source}: correct is {cells['correct']!a}, not 1 or 0")
    groups = tuple(Group(column, cells[column]) for column in benchmark.groups)
    if benchmark is LEXICAL:
        groups = word_groups(cells["frequency"], cells.get("length"), source)
    return GoldRow(
        source,
        tuple(cells[column] for column in benchmark.key),
        None if text else cells["voice"],
        cells["correct"] == "1",
        groups,
        _text(benchmark.text, cells, source)
        if text
        else _speech(folder, part, benchmark.text, cells, source),
    )


def _text(column: str, cells: dict[str, str], source: str) -> Candidate:
    text = cells[column]
    if not text.strip():
        # In some releases of sWUGGY, non-words have phones only.
        raise ManifestError(
            f"{source}: {column} is empty, so there is no text to score; a gold.csv with all texts is needed"
        )
    if NOT_IN_TEXT.search(text):
        raise ManifestError(f"{source}: {column} is not text: {text!a}")
    return Candidate(text, source, Sequence.of([TextSpan(text)]))


def _speech(folder: Path, part: str, column: str, cells: dict[str, str], source: str) -> Candidate:
    name = cells["filename"].removesuffix(".wav")
    if not name or has_space(name) or any(char in "/\\\0" for char in name):
        raise ManifestError(f"{source}: filename is not that of a wav here: {cells['filename']!a}")
    wav = folder / f"{name}.wav"
    if not wav.is_file():
        raise ManifestError(f"{source}: {wav}: no such file")
    said = cells.get(column) or cells.get("phones") or None
    return Candidate(name, str(wav), Clip(f"{part}/{name}", wav), said)


def has_space(name: str) -> bool:
    """Return whether a name has white space, at which lines of a submission are divided."""
    return any(map(str.isspace, name))


def word_groups(frequency: str, length: str | None, source: str) -> tuple[Group, ...]:
    """Return the groups of a word: in or out of vocabulary, frequency band, and number of phones if it is known.

    frequency: number of occurrences in LibriSpeech; 0 or empty is out of vocabulary. Raises ManifestError.
    """
    count = _number(frequency or "0", source, "frequency")
    index, band = next((index, band) for index, (limit, band) in enumerate(_BANDS) if count < limit)
    vocabulary = Group("vocabulary", "in") if index else Group("vocabulary", "out", 1)
    phones = int(_number(length or "0", source, "length"))
    lengths = [Group("length", f"{phones} phones" if phones > 1 else "1 phone", phones)] if phones else []
    return vocabulary, Group("frequency", band, index), *lengths


def _number(text: str, source: str, column: str) -> float:
    """Read a number of occurrences or phones: integers, which pandas writes as decimals if values are missing."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if math.isnan(value):
        value = 0.0
    if not 0 <= value < math.inf:
        raise ManifestError(
            f"{source}: {column} is {text!a}, not a number of {'phones' if column == 'length' else 'occurrences'}"
        )
    return value
