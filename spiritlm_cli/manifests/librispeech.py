"""Read folders in the layout of LibriSpeech: SET/SPEAKER/CHAPTER/SPEAKER-CHAPTER-UTTERANCE.flac and transcripts."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.clip import BadClip, Clip
from spiritlm_cli.manifests.row import AUDIO_SUFFIXES
from spiritlm_cli.manifests.word_times import NOT_IN_TEXT
from spiritlm_cli.text_files import numbered_lines

TRANSCRIPTS = ".trans.txt"
# The name of an utterance: that of its speaker, of the chapter, and its number. It becomes part of a path.
_UTTERANCE = re.compile(r"(?P<speaker>[A-Za-z0-9]+)-(?P<chapter>[A-Za-z0-9]+)-[A-Za-z0-9_]+")


def is_librispeech(folder: Path) -> bool:
    """Whether there are transcripts of LibriSpeech, `*.trans.txt`, in or below a folder."""
    return next(_transcript_files(folder), None) is not None


def scan_librispeech(folder: Path) -> Iterator[Clip | BadClip]:
    """Yield the clips of all `*.trans.txt` in and below a folder, by path, in the order of their lines.

    A line is the name of an utterance, a space and its text; the audio file has that name and is in the same folder.
    Speakers are the first part of the name. An invalid line, one whose audio file is missing, and an audio file without
    a line are BadClips. folder: of the corpus, of a set, of a speaker or of a chapter.
    """
    seen: set[str] = set()
    for path in _transcript_files(folder):
        audio = {file.stem: file for file in sorted(path.parent.iterdir()) if _is_audio(file)}
        for line_number, line in numbered_lines(path):
            if isinstance(line, str) and not line.strip():
                continue
            where = f"{path}: line {line_number}"
            try:
                clip = _clip(line, audio, where)
                if clip.id in seen:
                    raise ManifestError(f"{where}: duplicate id {clip.id!r}")
            except ManifestError as error:
                yield BadClip(f"{path.name}: line {line_number}", path, error)
                continue
            seen.add(clip.id)
            yield clip
        for name, file in audio.items():
            if name not in seen:
                yield BadClip(name, file, ManifestError(f"{file}: has no line in {path.name}"))


def librispeech_set(clip: Clip) -> str | None:
    """Return the name of the set that a clip is in, such as `test-clean`, or None if it is not in the layout."""
    path = Path(clip.source).absolute()
    match = _UTTERANCE.fullmatch(path.stem)
    if not match or len(path.parents) < 4:
        return None
    chapter, speaker, name = (parent.name for parent in path.parents[:3])
    return name if (speaker, chapter) == match.group("speaker", "chapter") else None


def _clip(line: str | ManifestError, audio: dict[str, Path], where: str) -> Clip:
    if isinstance(line, ManifestError):
        raise line
    name, _, text = line.strip().partition(" ")
    match = _UTTERANCE.fullmatch(name)
    if not match:
        raise ManifestError(f"{where}: begins with {name[:60]!a}, not with SPEAKER-CHAPTER-UTTERANCE")
    if name not in audio:
        raise ManifestError(f"{where}: there is no audio file {name}.flac")
    if not text.strip() or NOT_IN_TEXT.search(text):
        raise ManifestError(f"{where}: has no text, or NUL in it")
    return Clip(name, audio[name], text=text.strip(), speaker=match["speaker"])


def _is_audio(file: Path) -> bool:
    return file.suffix.lower() in AUDIO_SUFFIXES and not file.name.startswith(".")


def _transcript_files(folder: Path) -> Iterator[Path]:
    for parent, subfolders, names in os.walk(folder):
        subfolders.sort()
        yield from (Path(parent, name) for name in sorted(names) if name.endswith(TRANSCRIPTS))
