"""Rows of JSONL manifests with word times."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from spiritlm_cli.alignment.formats.index import duplicate_error
from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.clip import Alignment, BadClip, Clip, Transcript, Word
from spiritlm_cli.manifests.labels import drop_labels
from spiritlm_cli.manifests.row import clip_from_fields, id_from_fields, parse_json_fields


def id_of_row(text: str, where: str) -> str | None:
    """The id of a row's clip, or None for a blank line. Raises ManifestError if the row has no id."""
    if not text.strip():
        return None
    return id_from_fields(parse_json_fields(text, where), where)


def read_row(lines: Iterable[tuple[int, str]], name: str, keep_labels: bool = False) -> Transcript | None:
    """The text and words of the one row in these lines, or None if it has no words. name: of the manifest, for errors.
    keep_labels: keep labels of noise and unknown words.

    Raises ManifestError, with file and line, for a second row and for rows that `scan_manifest` refuses.
    """
    (line_number, text), *others = ((line_number, text) for line_number, text in lines if text.strip())
    clip = clip_from_fields(
        Path(), parse_json_fields(text, f"{name}: line {line_number}"), f"{name}: line {line_number}"
    )
    if others:
        raise duplicate_error(clip.id, f"{name}: line {others[0][0]}")
    (cleaned,) = drop_labels([clip], keep_labels)
    if isinstance(cleaned, BadClip):
        raise cleaned.error
    return Transcript(cleaned.text, cleaned.alignment) if cleaned.alignment else None


def format_row(clip: Clip, alignment: Alignment | None, folder: Path) -> str:
    """A clip and its words as a row of a JSONL manifest in `folder`, without line end.

    `scan_manifest` reads an equal clip and equal words. If the audio is not below `folder`, its path may differ.
    Raises ManifestError for standard input, which a manifest can't name.
    """
    if clip.source == "-":
        raise ManifestError(f"{clip.id}: standard input can't be named in a manifest; give a file")
    fields: dict[str, object] = {
        "id": clip.id,
        "audio": _relative_path(folder, Path(clip.source)),
        "start": clip.start,
        "end": clip.end,
        "text": clip.text,
        "speaker": clip.speaker,
        "words": None if alignment is None else [_word_fields(word) for word in alignment.words],
    }
    row = json.dumps(_without_none(fields), ensure_ascii=False)
    # A path that isn't UTF-8 contains lone surrogates, which JSON can only escape.
    return row.encode("utf-8", "backslashreplace").decode("utf-8")


def _word_fields(word: Word) -> dict[str, object]:
    return _without_none(
        {"word": word.word, "start": word.start, "end": word.end, "confidence": word.confidence}
    )


def _without_none(fields: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}


def _relative_path(folder: Path, source: Path) -> str:
    if source.is_relative_to(folder) and ".." not in source.relative_to(folder).parts:
        return str(source.relative_to(folder))
    # ".." after a symbolic link leads to the parent of its target.
    real_folder, real_source = os.path.realpath(folder), Path(os.path.realpath(source.parent), source.name)
    if os.path.commonpath([real_folder, real_source]) == os.path.sep:
        return str(real_source)
    return os.path.relpath(real_source, real_folder)
