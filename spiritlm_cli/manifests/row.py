"""Make a clip from the fields of a manifest row."""

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path, PurePath

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.clip import Alignment, Clip
from spiritlm_cli.manifests.word_times import NOT_IN_TEXT, AlignmentBuilder

# fmt: off
AUDIO_SUFFIXES = frozenset((
    ".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga",
    ".ogg", ".opus", ".rf64", ".snd", ".sph", ".w64", ".wav", ".wave",
))
# fmt: on
# Characters that an id can't contain, as token lines can't hold them.
NOT_IN_ID = re.compile(r"[\0\t\n\r\ud800-\udfff]")

# The fields of a row by their names.
Fields = Mapping[str, object]


def clip_from_fields(folder: Path, fields: Fields, where: str) -> Clip:
    """Return the clip of a row; see `scan_manifest` for the fields.

    folder: of the manifest; audio paths are relative to it. where: file and line, for errors.
    Raises ManifestError for a missing or invalid field.
    """
    audio = _text(fields, "audio", where)
    if not audio or "\0" in audio:
        raise ManifestError(f"{where}: audio is not a path: {audio!a}")
    clip_id = _text(fields, "id", where)
    if clip_id is not None and (not clip_id or NOT_IN_ID.search(clip_id)):
        raise ManifestError(f"{where}: id can't be empty or hold a tab, a line end or NUL: {clip_id!a}")
    start, end = _seconds(fields, "start", where), _seconds(fields, "end", where)
    if end is not None and end <= (start or 0.0):
        raise ManifestError(f"{where}: end ({end:g}) is not after start ({start or 0.0:g})")
    return Clip(
        id=default_id(PurePath(audio)) if clip_id is None else clip_id,
        source=folder / audio,
        start=start,
        end=end,
        text=_encodable_text(fields, "text", where),
        speaker=_text(fields, "speaker", where),
        alignment=_alignment(fields.get("words"), where),
    )


def parse_json_fields(text: str, where: str) -> Fields:
    """Parse a line of JSONL. where: file and line, for errors. Raises ManifestError if it is not a JSON object."""
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{where}: not JSON ({error})") from None
    if not isinstance(fields, dict):
        raise ManifestError(f"{where}: not a JSON object")
    return fields


def _text(fields: Fields, name: str, where: str) -> str | None:
    """Return a field as text, or None if it is missing. An integer is converted, as ids and speakers often are."""
    value = fields.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is None or isinstance(value, str):
        return value
    raise ManifestError(f"{where}: {name} is not text")


def _encodable_text(fields: Fields, name: str, where: str) -> str | None:
    """Return a field as text that UTF-8 can encode, or None if it is missing."""
    text = _text(fields, name, where)
    if text and NOT_IN_TEXT.search(text):
        raise ManifestError(f"{where}: {name} holds NUL or half a surrogate pair")
    return text


def _seconds(fields: Fields, name: str, where: str) -> float | None:
    """Return a field as a number of seconds, 0 or more, or None if it is missing."""
    value = fields.get(name)
    if value is None:
        return None
    try:
        seconds = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise ManifestError(f"{where}: {name} is not a number of seconds: {str(value)[:40]!a}")
    return seconds


def _alignment(value: object, where: str) -> Alignment | None:
    """Return the alignment of a `words` field, or None if it is missing."""
    if value is None:
        return None
    if not isinstance(value, list):
        raise ManifestError(f"{where}: words is not a list")
    builder = AlignmentBuilder()
    for number, item in enumerate(value, 1):
        here = f"{where}: word {number}"
        if not isinstance(item, dict):
            raise ManifestError(f'{here} is not {{"word", "start", "end"}}')
        word = _encodable_text(item, "word", here)
        if word is None:
            raise ManifestError(f'{here} lacks "word"')
        start, end = _seconds(item, "start", here), _seconds(item, "end", here)
        builder.add(word, start, end, here, _confidence(item, here))
    return builder.build()


def _confidence(fields: Fields, where: str) -> float | None:
    """Return the confidence of a word, 0 to 1, or None if it is missing."""
    value = fields.get("confidence")
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    raise ManifestError(f"{where}: confidence is not a number from 0 to 1: {str(value)[:40]!a}")


def default_id(path: PurePath) -> str:
    """Return the id of a file that is given without one: its path, without an audio suffix."""
    if path.suffix.lower() in AUDIO_SUFFIXES:
        path = path.with_suffix("")
    return NOT_IN_ID.sub("\N{REPLACEMENT CHARACTER}", path.as_posix())
