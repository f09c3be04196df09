"""Rows of JSONL manifests, as files of words and their times."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from spiritlm_cli.alignment.formats.index import duplicate_error
from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.clip import Alignment, Clip, Transcript, Word
from spiritlm_cli.manifests.row import clip_from_fields, parse_json_fields


def id_of_row(text: str, where: str) -> str | None:
    """The id of a row's clip; None for a blank line. Raises ManifestError where it has none."""
    if not text.strip():
        return None
    fields = parse_json_fields(text, where)
    return clip_from_fields(Path(), {name: fields.get(name) for name in ("id", "audio")}, where).id


def read_row(lines: Iterable[tuple[int, str]], name: str) -> Transcript | None:
    """Text and words of the only row in these lines; None where it has no words. name: the manifest's.

    Raises ManifestError, with file and line, for a second row, and for what `scan_manifest` refuses.
    """
    (number, text), *others = ((number, text) for number, text in lines if text.strip())
    clip = clip_from_fields(
        Path(), parse_json_fields(text, f"{name}: line {number}"), f"{name}: line {number}"
    )
    if others:
        raise duplicate_error(clip.id, f"{name}: line {others[0][0]}")
    return Transcript(clip.text, clip.alignment) if clip.alignment else None


def format_row(clip: Clip, alignment: Alignment | None, folder: Path) -> str:
    """A clip and its words as a row, without line end, of a JSONL manifest in `folder`.

    `scan_manifest` gives both back; for a file that isn't below `folder`, by another path to it.
    Raises ManifestError for standard input, which a manifest can't name.
    """
    if clip.source == "-":
        raise ManifestError(f"{clip.id}: standard input can't be named in a manifest; give a file")
    fields: dict[str, object] = {
        "id": clip.id,
        "audio": _seen_from(folder, Path(clip.source)),
        "start": clip.start,
        "end": clip.end,
        "text": clip.text,
        "speaker": clip.speaker,
        "words": None if alignment is None else [_word(word) for word in alignment.words],
    }
    row = json.dumps(_known(fields), ensure_ascii=False)
    # a path that isn't UTF-8 holds halves of surrogate pairs, which JSON can only escape
    return row.encode("utf-8", "backslashreplace").decode("utf-8")


def _word(word: Word) -> dict[str, object]:
    return _known({"word": word.word, "start": word.start, "end": word.end, "confidence": word.confidence})


def _known(fields: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}


def _seen_from(folder: Path, source: Path) -> str:
    if source.is_relative_to(folder) and ".." not in source.relative_to(folder).parts:
        return str(source.relative_to(folder))
    # ".." of a link leads out of where the link leads to
    real_folder, real_source = os.path.realpath(folder), Path(os.path.realpath(source.parent), source.name)
    if os.path.commonpath([real_folder, real_source]) == os.path.sep:
        return str(real_source)
    return os.path.relpath(real_source, real_folder)
