"""Read transcripts from text files beside the audio: x.txt or x.lab beside x.wav."""

import dataclasses
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from spiritlm_cli.console import warn_once
from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.clip import BadClip, Clip
from spiritlm_cli.manifests.word_times import NOT_IN_TEXT
from spiritlm_cli.text_files import read_whole

# How a file of token lines begins, with or without a header or an id.
_TOKEN_LINE = re.compile(r"#spiritlm |([^\t\n]*\t)?\[(SPEECH|TEXT)\]")
# Suffixes of transcript files, in order of preference.
TRANSCRIPT_SUFFIXES = (".txt", ".lab")


def attach_text(clips: Iterable[Clip | BadClip], text: str | None = None) -> Iterator[Clip | BadClip]:
    """Yield the clips with their transcripts.

    text: transcript of every clip. If None, a clip without a text gets the content of the transcript file beside its
    audio file, without surrounding whitespace; it stays without a text if there is no such file. A transcript file that
    can't be read, or is not UTF-8 text, makes its clip a BadClip.
    """
    for clip in clips:
        if isinstance(clip, BadClip) or (text is None and (clip.text is not None or clip.source == "-")):
            yield clip
            continue
        try:
            transcript = _read_beside(Path(clip.source)) if text is None else text
        except ManifestError as error:
            yield BadClip(clip.id, clip.source, error)
        else:
            yield dataclasses.replace(clip, text=transcript)


def has_token_lines(path: Path) -> bool:
    """Whether a file begins as one of token lines. Raises OSError for a file that can't be read."""
    with path.open("rb") as file:
        return bool(_TOKEN_LINE.match(file.read(4096).decode("utf-8-sig", errors="replace")))


def _read_beside(audio: Path) -> str | None:
    """Return the content of the transcript file beside an audio file, or None. Raises ManifestError."""
    for suffix in TRANSCRIPT_SUFFIXES:
        path = audio.with_suffix(suffix)
        if not os.path.lexists(path):
            continue
        try:
            text = read_whole(path).decode("utf-8-sig").strip()
        except UnicodeDecodeError as error:
            line_number = error.object[: error.start].count(b"\n") + 1
            raise ManifestError(f"{path}: line {line_number}: not UTF-8 text") from None
        if _TOKEN_LINE.match(text):
            warn_once(f"{path}: has token lines, and is not taken for the transcript of {audio.name}")
            continue
        if NOT_IN_TEXT.search(text):
            raise ManifestError(f"{path}: holds NUL; it is not text")
        return text
    return None
