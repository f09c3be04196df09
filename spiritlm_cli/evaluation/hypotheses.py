"""Outputs that there are already: texts or speech by the ids of the items that they are for."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path

from spiritlm_cli.console import log
from spiritlm_cli.errors import ManifestError, TokenError
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.manifests.manifest import read_manifest
from spiritlm_cli.manifests.named_files import NamedFiles
from spiritlm_cli.manifests.tables import read_table
from spiritlm_cli.text_files import NumberedLine, numbered_lines, valid_lines
from spiritlm_cli.tokens.reader import parse_line

_TOKENS = re.compile(r"[^\t]*\t\[(TEXT|Text|SPEECH|Speech)\]")
_SHOWN = 5  # ids in a message


def read_texts(path: Path) -> dict[str, str]:
    """Read texts by id.

    path: JSONL with `id` and `text`, such as an items file; a TSV or CSV with these columns; or token lines with ids,
    such as `generate` writes, of which the text is read. Raises ManifestError, with file and line, for anything else,
    and for an id that is there twice.
    """
    texts: dict[str, str] = {}
    for line_number, name, text in _rows(path):
        if name in texts:
            raise ManifestError(f"{path}: line {line_number}: duplicate id {name!a}")
        texts[name] = text
    return texts


def find_text(texts: Mapping[str, str], path: Path, name: str) -> str:
    """The text of an item. path: of the texts. Raises ManifestError if there is none."""
    if name not in texts:
        raise ManifestError(f"{path}: has no output for {name!a}")
    return texts[name]


def warn_unknown_ids(texts: Mapping[str, str], ids: Iterable[str], path: Path) -> None:
    """Warn of texts that are of no item."""
    unknown = sorted(texts.keys() - set(ids))
    if unknown:
        shown = ", ".join(f"{name!a}" for name in unknown[:_SHOWN])
        log.warning("%s: %d ids are of no item, and not used: %s", path, len(unknown), shown)


def speech_finder(path: Path) -> Callable[[str], Clip]:
    """Return a function from the id of an item to its speech, which raises ManifestError if there is none.

    path: a folder of audio files that are called by the ids, or a manifest. Raises ManifestError for an invalid one.
    """
    if path.is_dir():
        return NamedFiles.audio(path).__getitem__
    clips = {clip.id: clip for clip in read_manifest(path)}

    def find(name: str) -> Clip:
        if name not in clips:
            raise ManifestError(f"{path}: has no output for {name!a}")
        return clips[name]

    return find


def _rows(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield the line number, the id and the text of each output."""
    lines = numbered_lines(path)
    first = next(valid_lines(lines), None)
    if first is None:
        raise ManifestError(f"{path}: empty")
    rest: Iterator[NumberedLine] = chain([first], lines)
    if first[1].startswith("{"):
        yield from _json_rows(rest, path)
    elif first[1].startswith("#spiritlm ") or _TOKENS.match(first[1]):
        yield from _token_rows(rest, path)
    else:
        yield from _table_rows(rest, path, "," if "\t" not in first[1] else "\t")


def _json_rows(lines: Iterator[NumberedLine], path: Path) -> Iterator[tuple[int, str, str]]:
    for line_number, line in valid_lines(lines):
        try:
            row = json.loads(line) if line.strip() else None
        except (ValueError, RecursionError):
            row = line
        if row is None or (isinstance(row, dict) and ("evaluation" in row or "error" in row)):
            continue  # a blank line; the first line of an items file; an item that could not be used
        name, text = (row.get("id"), row.get("text")) if isinstance(row, dict) else (None, None)
        if not isinstance(name, str) or not isinstance(text, str):
            raise ManifestError(f'{path}: line {line_number}: not {{"id": "…", "text": "…"}}')
        yield line_number, name, text


def _token_rows(lines: Iterator[NumberedLine], path: Path) -> Iterator[tuple[int, str, str]]:
    for line_number, content in valid_lines(lines):
        if content.startswith("#spiritlm ") or not content.strip():
            continue
        try:
            line = parse_line(content)
        except TokenError as error:
            reason = str(error).removeprefix("line 1, ")
            raise ManifestError(f"{path}: line {line_number}: {reason}") from None
        if line.id is None:
            raise ManifestError(f"{path}: line {line_number}: has no id; `generate --ids` writes them")
        yield line_number, line.id, line.sequence.text


def _table_rows(lines: Iterator[NumberedLine], path: Path, delimiter: str) -> Iterator[tuple[int, str, str]]:
    table = read_table(lines, str(path), delimiter)
    if not {"id", "text"} <= set(table.columns):
        raise ManifestError(
            f"{path}: line {table.header_line}: no columns id and text, only: {', '.join(table.columns)[:100]}"
        )
    for line_number, cells in table.rows:
        if isinstance(cells, ManifestError):
            raise cells
        row = table.by_column(cells, f"{path}: line {line_number}")
        yield line_number, row["id"], row["text"]
