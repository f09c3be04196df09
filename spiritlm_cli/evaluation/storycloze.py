"""`storycloze` and `topic-storycloze`: the right and the wrong ending of a story, in speech and text.

Hassid et al. 2023, "Textually Pretrained Speech Language Models": spoken versions of StoryCloze (Mostafazadeh et al.
2016). Directions are written as in the Spirit LM paper: T→S is a story as text with its ending as speech.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.paired_files import find_folders, has_wav_files, read_file_pairs
from spiritlm_cli.evaluation.pairs import BadPair, Candidate, Group, JoinedClips, Pair
from spiritlm_cli.evaluation.story_tables import (
    TEXT_TO_TEXT,
    clean_text,
    is_story_table,
    read_story_table,
    text_story,
)
from spiritlm_cli.files import read_limited
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.tokens.sequence import Sequence, TextSpan

TEXT_TO_SPEECH = "T→S"
SPEECH_TO_TEXT = "S→T"
SPEECH_TO_SPEECH = "S→S"
DIRECTIONS = (TEXT_TO_TEXT, TEXT_TO_SPEECH, SPEECH_TO_TEXT, SPEECH_TO_SPEECH)

# Names of folders, such as ms_tSC.
_FOLDERS: dict[str, str] = {"s": "storycloze", "t": "topic-storycloze"}
_FOLDER = re.compile(r"(?:.*[_-])?(?P<kind>[st])(?:sc|storycloze)", re.IGNORECASE)
_PARTS = ("mutual", "correct", "incorrect")
_MAX_TEXT = 1_000_000  # bytes of a story's text file


def read_stories(
    path: Path | str, benchmark: str, directions: Collection[str] | None = None
) -> list[Pair | BadPair]:
    """Read the stories of a folder or of a CSV file in all directions that it allows; a pair's set is its direction.

    benchmark: "storycloze" or "topic-storycloze". directions: only these, such as "TS" for T→S.

    Folders, in one of which all files are, or one for each speaker, below at most one more folder:
    WAV files of whole stories (see `read_file_pairs`), beside which may be a CSV file of their texts; or `X_mutual`,
    `X_correct` and `X_incorrect` as WAV files, text files or both. CSV files: see `read_story_table`.
    Bad entries come first. Raises ManifestError if there are no stories, or those of the other benchmark.
    """
    entries = _read(Path(path), benchmark)
    if directions is not None:
        entries = [entry for entry in entries if str(entry.set).replace("→", "") in directions]
        if not entries:
            raise ManifestError(f"{path}: there are no files for the direction {' or '.join(directions)}")
    return sorted(entries, key=lambda entry: not isinstance(entry, BadPair))


def _read(path: Path, benchmark: str) -> list[Pair | BadPair]:
    if path.is_file():
        return read_story_table(path)
    folders = find_folders(path, _has_split_stories)
    if not folders:
        return _whole_stories(path, benchmark)
    _check_benchmark(path, folders, benchmark)
    return _without_repeated_text(
        [entry for folder in folders for entry in _split_stories(folder, len(folders) > 1)]
    )


def has_speech(path: Path) -> bool:
    """Return whether there are WAV files, so that `read_stories` returns clips."""
    return bool(find_folders(path, has_wav_files))


def story_layout(path: Path) -> str:
    """Return what is known of how the stories are stored: `table`, `whole stories`, or `stories and endings`."""
    if path.is_file():
        return "table"
    return "stories and endings" if find_folders(path, _has_split_stories) else "whole stories"


def _whole_stories(path: Path, benchmark: str) -> list[Pair | BadPair]:
    """Read WAV files of whole stories, and the CSV files beside them."""
    folders = find_folders(path, has_wav_files)
    tables = [
        table
        for folder in find_folders(path, lambda folder: any(folder.glob("*.csv")))
        for table in sorted(folder.glob("*.csv"))
        if is_story_table(table)
    ]
    if not folders and not tables:
        raise ManifestError(
            f"{path}: no stories are there: neither N_ID_correct.wav and N_ID_incorrect.wav, nor X_mutual, X_correct "
            "and X_incorrect as .wav or .txt, nor a CSV file of StoryCloze"
        )
    _check_benchmark(path, [*folders, *(table.parent for table in tables)], benchmark)
    entries = [entry for table in tables for entry in read_story_table(table)]
    if folders:
        for entry in read_file_pairs(path):
            name = f"{entry.id}/{SPEECH_TO_SPEECH}"
            entries.append(replace(entry, id=name, set=SPEECH_TO_SPEECH))
    return entries


def _check_benchmark(path: Path, folders: Iterable[Path], benchmark: str) -> None:
    """Raise ManifestError if a folder has the name of the other benchmark."""
    for folder in folders:
        for name in (path.resolve().name, *folder.relative_to(path).parts):
            match = _FOLDER.fullmatch(name)
            if match and (found := _FOLDERS[match["kind"].lower()]) != benchmark:
                raise ManifestError(
                    f"{folder}: its name is that of {found}, which is another benchmark than {benchmark}"
                )


def _has_split_stories(folder: Path) -> bool:
    """Whether there is a file X_mutual.wav or X_mutual.txt in a folder."""
    return bool(_names_with("mutual", folder))


def _names_with(part: str, folder: Path) -> set[str]:
    """The names X of the stories of a folder that has X_{part}.wav or X_{part}.txt."""
    files = (file for suffix in ("wav", "txt") for file in folder.glob(f"[!.]*_{part}.{suffix}"))
    return {file.stem.removesuffix(f"_{part}") for file in files}


def _split_stories(folder: Path, has_speakers: bool) -> Iterator[Pair | BadPair]:
    """Yield the pairs of the stories of a folder, story by story, in the directions for which there are files."""
    has_text, has_speech = (any(folder.glob(f"*_mutual.{suffix}")) for suffix in ("txt", "wav"))
    endings = {"T": any(folder.glob("*_correct.txt")), "S": any(folder.glob("*_correct.wav"))}
    stories = {"T": has_text, "S": has_speech}
    directions = [name for name in DIRECTIONS if stories[name[0]] and endings[name[-1]]]
    voice = folder.name if has_speakers else None
    for name in sorted(set().union(*(_names_with(part, folder) for part in _PARTS))):
        for direction in directions:
            item = f"{voice}/{name}" if voice else name
            try:
                pair = _split_story(folder, name, direction)
            except ManifestError as error:
                yield BadPair(f"{item}/{direction}", str(folder / name), error, direction)
                continue
            groups = (Group("speaker", voice),) if voice and direction != TEXT_TO_TEXT else ()
            yield replace(
                pair,
                id=f"{item}/{direction}",
                groups=groups,
                item=name,
                voice=voice if direction != TEXT_TO_TEXT else None,
                set=direction,
            )


def _split_story(folder: Path, name: str, direction: str) -> Pair:
    """The pair of a story. Raises ManifestError for a file that is missing or no text."""
    source = str(folder / f"{name}_mutual.{'txt' if direction[0] == 'T' else 'wav'}")
    if direction == TEXT_TO_TEXT:
        prompt, good, bad = (_read_text(folder / f"{name}_{part}.txt") for part in _PARTS)
        return text_story(name, source, prompt, good, bad)
    if direction == TEXT_TO_SPEECH:
        given: Sequence | Clip | None = Sequence.of([TextSpan(_read_text(folder / f"{name}_mutual.txt"))])
        contents: list[Sequence | Clip | JoinedClips] = [
            _clip(folder / f"{name}_{part}.wav") for part in _PARTS[1:]
        ]
    elif direction == SPEECH_TO_TEXT:
        given = _clip(folder / f"{name}_mutual.wav")
        contents = [Sequence.of([TextSpan(_read_text(folder / f"{name}_{part}.txt"))]) for part in _PARTS[1:]]
    else:
        given = None
        mutual = _clip(folder / f"{name}_mutual.wav")
        contents = [
            JoinedClips(f"{name}_{part}", mutual, _clip(folder / f"{name}_{part}.wav")) for part in _PARTS[1:]
        ]
    good_side, bad_side = (
        Candidate(part, f"{folder / name}_{part}", content)
        for part, content in zip(_PARTS[1:], contents, strict=True)
    )
    return Pair(name, source, (good_side,), (bad_side,), given=given)


def _without_repeated_text(entries: list[Pair | BadPair]) -> list[Pair | BadPair]:
    """Leave out the pairs of texts that are the same for several speakers."""
    known: set[object] = set()
    kept: list[Pair | BadPair] = []
    for entry in entries:
        if isinstance(entry, Pair) and entry.set == TEXT_TO_TEXT:
            texts = (entry.item, entry.given, *(candidate.content for candidate in entry.candidates))
            if texts in known:
                continue
            known.add(texts)
        kept.append(entry)
    return kept


def _clip(file: Path) -> Clip:
    if not file.is_file():
        raise ManifestError(f"{file}: no such file")
    return Clip(file.stem, file)


def _read_text(file: Path) -> str:
    content = read_limited(file, _MAX_TEXT)
    try:
        return clean_text(content.decode("utf-8-sig"), str(file), "it")
    except UnicodeDecodeError:
        raise ManifestError(f"{file}: not UTF-8 text") from None
