"""`wuggy`, `prosaudit`, and `blimp` on speech: the folders of the ZeroSpeech challenges, read as pairs.

Nguyen et al. 2020, "The Zero Resource Speech Benchmark 2021" (sWUGGY, sBLIMP): `lexical/{dev,test}` and
`syntactic/{dev,test}`. de Seyssel et al. 2023, "ProsAudit, a prosodic benchmark for self-supervised speech models":
`english/{dev,test}`. They hold WAV files and, where the answers are public, `gold.csv`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.gold import Benchmark, GoldRow, has_space, read_gold
from spiritlm_cli.evaluation.paired_files import (
    find_folders,
    has_wav_files,
    is_numbered,
    read_file_pairs,
    wav_files,
)
from spiritlm_cli.evaluation.pairs import BadPair, Candidate, Entry, Pair, Unpaired
from spiritlm_cli.manifests.clip import Clip


@dataclass(frozen=True)
class Part:
    """One folder of a benchmark, such as dev or test. has_gold: False where the answers are not public."""

    benchmark: Benchmark
    name: str
    folder: Path
    has_gold: bool


@dataclass
class _Sides:
    """The correct and the incorrect rows of a pair."""

    good: list[GoldRow] = field(default_factory=list)
    bad: list[GoldRow] = field(default_factory=list)


def find_parts(path: Path | str, benchmark: Benchmark) -> list[Part]:
    """Return the parts of a benchmark: below ZeroSpeech's folder, its own folder, or dev or test.

    One more folder on top, as in unpacked archives, makes no difference. Raises ManifestError if there are none, or
    several benchmarks.
    """
    path = Path(path)
    tops = find_folders(path, lambda folder: (folder / benchmark.folder).is_dir())
    if len(tops) > 1:
        names = ", ".join(map(str, tops))[:200]
        raise ManifestError(f"{path}: several folders have {benchmark.folder}, name one of them: {names}")
    bases = [top / benchmark.folder for top in tops] or [path]
    folders = [
        folder for base in bases for name in ("dev", "test") if (folder := base / name).is_dir()
    ] or bases
    parts = []
    for folder in folders:
        has_gold = (folder / "gold.csv").is_file()
        if has_gold or has_wav_files(folder):
            # The name of `.` is empty, so resolve it.
            parts.append(Part(benchmark, folder.resolve().name, folder, has_gold))
    if not parts:
        name = benchmark.folder
        raise ManifestError(
            f"{path}: no ZeroSpeech folder: {name}/dev or {name}/test with gold.csv or wavs is not there"
        )
    return parts


def read_parts(
    path: Path | str, benchmark: Benchmark, *, text: bool = False, all_files: bool = False
) -> tuple[list[Entry], list[Path]]:
    """Read the entries of all parts below a path, and return them with the folders that have no `gold.csv`.

    text: score the words or sentences as text, not the WAV files; all_files: add an `Unpaired` for each WAV file in no
    pair. Folders without `gold.csv` whose WAV files have names that begin with numbers are read by `read_file_pairs`,
    as slamkit does. Bad entries come first. Raises ManifestError if there is no part, or nothing to score.
    """
    if not (text or all_files) and is_numbered(Path(path)):
        return list(read_file_pairs(path)), []
    parts = find_parts(path, benchmark)
    without_gold = [part.folder for part in parts if not part.has_gold]
    if len(without_gold) == len(parts) and not all_files:
        raise ManifestError(
            f"{path}: no gold.csv there, so there is nothing to compare; the archives of zerospeech.com lack it, and "
            "`zrc datasets:pull` of the package zerospeech-benchmarks gets the sets with it"
        )
    entries: list[Entry] = []
    for part in parts:
        if text and part.has_gold:
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
    entries = _entries(part, text=False) if part.has_gold else []
    if all_files:
        paired = {candidate.name for entry in entries for candidate in entry.candidates}
        for wav in wav_files(part.folder):
            if wav.stem not in paired:
                name = f"{part.name}/{wav.stem}"
                if has_space(wav.stem):
                    error = ManifestError(f"{wav}: its name has white space, which a submission can't hold")
                    entries.append(BadPair(name, str(wav), error, part.name))
                    continue
                candidate = Candidate(wav.stem, str(wav), Clip(name, wav))
                entries.append(Unpaired(name, str(wav), candidate, part.name))
    return entries


def _entries(part: Part, text: bool) -> list[Entry]:
    bad: list[Entry] = []
    sides: dict[tuple[tuple[str, ...], str | None], _Sides] = {}
    names: set[str] = set()
    for row in read_gold(part.folder, part.name, part.benchmark, text):
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


def _bad_row(part: Part, row: GoldRow, reason: str) -> BadPair:
    error = ManifestError(f"{row.source}: {reason}")
    return BadPair(f"{part.name}/{row.candidate.name}", row.source, error, part.name)
