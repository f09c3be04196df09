"""Pairs of WAV files whose names say what belongs together, in one folder or in a subfolder for each speaker."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from spiritlm_cli.console import warn_once
from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.pairs import BadPair, Candidate, Group, Pair
from spiritlm_cli.manifests.clip import Clip

_SIDES = {"correct": True, "pos": True, "incorrect": False, "neg": False}
_SIDE = re.compile(r"(?:(?P<rest>.*)[_+-])?(?P<side>correct|incorrect|pos|neg)", re.DOTALL)
_NUMBER = re.compile(r"([0-9]{1,18})(?:[_+-]|$)")


@dataclass(frozen=True)
class FilePair:
    """The files of a pair. item: what they have in common, the same in the folders of all speakers."""

    item: str
    good: Path
    bad: Path


def find_folders(path: Path, holds_data: Callable[[Path], bool]) -> list[Path]:
    """Return the folders with data: the path itself, or else its subfolders, or else those one level further down.

    Archives often have one more folder on top, and speakers a folder each. Hidden folders and those of macOS archives
    are left out. Sorted by path.
    """
    level = [path] if path.is_dir() else []
    for _ in range(3):
        if found := [folder for folder in level if holds_data(folder)]:
            return found
        level = [child for folder in level for child in sorted(folder.iterdir()) if _is_folder(child)]
    return []


def wav_files(folder: Path) -> list[Path]:
    """Return the WAV files in a folder, sorted by name, without hidden ones."""
    return sorted(file for file in folder.glob("[!.]*.wav") if file.is_file())


def has_wav_files(folder: Path) -> bool:
    """Return whether there is a WAV file in a folder."""
    return next(folder.glob("[!.]*.wav"), None) is not None


def is_numbered(path: Path) -> bool:
    """Return whether all WAV files of a folder, or of the folders in it, begin with a number, without a `gold.csv`."""
    folders = find_folders(path, has_wav_files)
    return bool(folders) and all(
        not (folder / "gold.csv").exists() and all(_NUMBER.match(file.stem) for file in wav_files(folder))
        for folder in folders
    )


def read_file_pairs(path: Path | str) -> list[Pair | BadPair]:
    """Read the pairs of WAV files of a folder, or of the folders in it, one for each speaker.

    Names that end in `_correct` and `_incorrect` (or `_pos` and `_neg`) are paired if they are equal apart from that
    word and from a number at the beginning; where this leaves several, if they are equal apart from that word.
    Names without such a word are sorted by the number they begin with and paired two by two, the right one first. Bad
    entries come first. Raises ManifestError if there are no WAV files.
    """
    folders = find_folders(Path(path), has_wav_files)
    if not folders:
        raise ManifestError(f"{path}: no WAV files are there, nor in folders up to two levels down")
    entries: list[Pair | BadPair] = []
    for folder in folders:
        voice = folder.name if len(folders) > 1 else None
        entries += [
            entry if isinstance(entry, BadPair) else _pair(entry, voice)
            for entry in pair_files(wav_files(folder))
        ]
    return sorted(entries, key=lambda entry: not isinstance(entry, BadPair))


def pair_files(files: list[Path]) -> Iterator[FilePair | BadPair]:
    """Yield the pairs of files of a folder as `read_file_pairs` describes, and a bad entry for each other file."""
    sides = {file: match for file in files if (match := _SIDE.fullmatch(file.stem))}
    if not sides:
        if files:
            warn_once(
                "the names do not say which WAV file of a pair is the right one: the files of a folder are paired two "
                "by two in the order of the numbers they begin with, the right one first"
            )
        yield from _pair_by_number(files)
        return
    for file in files:
        if file not in sides:
            yield _bad(file, "its name does not end in _correct or _incorrect, as others do")
    for item, members in _grouped(sides, lambda file: _without_number(sides[file]["rest"] or "")).items():
        sided = _by_side(members, sides)
        if max(map(len, sided)) == 1:
            yield from _item_pair(item, *sided)
            continue
        for rest, same in _grouped(members, lambda file: sides[file]["rest"] or "").items():
            yield from _item_pair(rest, *_by_side(same, sides))


def _item_pair(item: str, good: list[Path], bad: list[Path]) -> Iterator[FilePair | BadPair]:
    if len(good) == len(bad) == 1:
        yield FilePair(item, good[0], bad[0])
        return
    reason = "its counterpart is missing" if not (good and bad) else "several files could be its counterpart"
    for file in (*good, *bad):
        yield _bad(file, reason)


def _pair_by_number(files: list[Path]) -> Iterator[FilePair | BadPair]:
    numbered: list[tuple[int, str, Path]] = []
    for file in files:
        match = _NUMBER.match(file.stem)
        if match is None:
            yield _bad(file, "its name neither ends in _correct or _incorrect nor begins with a number")
        else:
            numbered.append((int(match[1]), file.stem, file))
    ordered = [file for _, _, file in sorted(numbered)]
    for good, bad in zip(ordered[::2], ordered[1::2], strict=False):
        yield FilePair(good.stem, good, bad)
    if len(ordered) % 2:
        yield _bad(ordered[-1], "its counterpart is missing, as the number of WAV files is odd")


def _pair(files: FilePair, voice: str | None) -> Pair:
    prefix = f"{voice}/" if voice else ""
    good, bad = (
        Candidate(f"{prefix}{file.stem}", str(file), Clip(f"{prefix}{file.stem}", file))
        for file in (files.good, files.bad)
    )
    groups = (Group("speaker", voice),) if voice else ()
    return Pair(good.name, str(files.good), (good,), (bad,), groups, item=files.item, voice=voice)


def _bad(file: Path, reason: str) -> BadPair:
    return BadPair(f"{file.parent.name}/{file.stem}", str(file), ManifestError(f"{file}: {reason}"))


def _grouped(files: Iterable[Path], key: Callable[[Path], str]) -> dict[str, list[Path]]:
    groups: dict[str, list[Path]] = {}
    for file in files:
        groups.setdefault(key(file), []).append(file)
    return groups


def _by_side(files: list[Path], sides: dict[Path, re.Match[str]]) -> tuple[list[Path], list[Path]]:
    return (
        [file for file in files if _SIDES[sides[file]["side"]]],
        [file for file in files if not _SIDES[sides[file]["side"]]],
    )


def _without_number(name: str) -> str:
    match = _NUMBER.match(name)
    return name[match.end() :] if match else name


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith((".", "__MACOSX"))
