"""Text that lies beside the sound it is of: x.txt or x.lab for x.wav."""

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.clip import BadClip, Clip
from spiritlm_cli.manifests.word_times import NOT_IN_TEXT

SUFFIXES = (".txt", ".lab")


def attach_text(clips: Iterable[Clip | BadClip], text: str | None = None) -> Iterator[Clip | BadClip]:
    """The clips, with `text`, where it is given. Else those that are whole files and come without text get that of the
    file beside them, where there is one.

    A file's spaces and line ends before and after its text don't count. One that can't be read as UTF-8 text makes its
    clip a BadClip.
    """
    for clip in clips:
        if isinstance(clip, BadClip) or (text is None and (clip.text is not None or clip.source == "-")):
            yield clip
            continue
        try:
            said = _beside(Path(clip.source)) if text is None else text
        except ManifestError as error:
            yield BadClip(clip.id, clip.source, error)
        else:
            yield dataclasses.replace(clip, text=said)


def _beside(sound: Path) -> str | None:
    for suffix in SUFFIXES:
        path = sound.with_suffix(suffix)
        try:
            text = path.read_bytes().decode("utf-8-sig").strip()
        except FileNotFoundError:
            continue
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            raise ManifestError(f"{path}: line {line}: not UTF-8 text") from None
        except OSError as error:
            raise ManifestError(f"{path}: can't be read ({error.strerror or error})") from None
        if NOT_IN_TEXT.search(text):
            raise ManifestError(f"{path}: holds NUL; it is not text")
        return text
    return None
