"""Make a clip from the fields of a manifest row."""

import json
import re
from pathlib import Path, PurePath

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.clip import Alignment, Clip
from spiritlm_cli.manifests.lhotse import Fields, cut_fields, is_cut
from spiritlm_cli.manifests.times import read_interval
from spiritlm_cli.manifests.word_times import NOT_IN_TEXT, AlignmentBuilder

# fmt: off
AUDIO_SUFFIXES = frozenset((
    ".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga",
    ".ogg", ".opus", ".rf64", ".snd", ".sph", ".w64", ".wav", ".wave",
))
# fmt: on
# Characters that an id can't contain, as token lines can't hold them.
NOT_IN_ID = re.compile(r"[\0\t\n\r\ud800-\udfff]")
# The names of the field with the path of the audio file: ours, and that of NeMo.
AUDIO_FIELDS = ("audio", "audio_filepath")


def clip_from_fields(folder: Path, fields: Fields, where: str) -> Clip:
    """Return the clip of a row; see `scan_manifest` for the fields.

    folder: of the manifest; audio paths are relative to it. where: file and line, for errors.
    Raises ManifestError for a missing or invalid field.
    """
    if is_cut(fields):
        fields = cut_fields(fields, where)
    start, end = read_interval(fields, where)
    if end is not None and end <= (start or 0.0):
        raise ManifestError(f"{where}: end ({end:g}) is not after start ({start or 0.0:g})")
    return Clip(
        id=_id(fields, start, where),
        source=folder / _audio(fields, where),
        start=start,
        end=end,
        text=_encodable_text(fields, "text", where),
        speaker=_text(fields, "speaker", where),
        alignment=_alignment(fields.get("words"), where),
    )


def id_from_fields(fields: Fields, where: str) -> str:
    """Return the id that `clip_from_fields` gives a clip. Raises ManifestError for an invalid id, path or time."""
    if is_cut(fields):
        fields = cut_fields(fields, where)
    return _id(fields, read_interval(fields, where)[0], where)


def parse_json_fields(text: str, where: str) -> Fields:
    """Parse a line of JSONL. where: file and line, for errors.

    Raises ManifestError if it is not a JSON object, or if an object has a name twice.
    """
    try:
        fields = json.loads(text, object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{where}: not JSON ({error})") from None
    if not isinstance(fields, dict):
        raise ManifestError(f"{where}: not a JSON object")
    return fields


def readable_id(fields: Fields) -> str | None:
    """Return the id of a row that is invalid for another reason, or None if it has no valid one."""
    clip_id = fields.get("id")
    if isinstance(clip_id, int) and not isinstance(clip_id, bool):
        clip_id = str(clip_id)
    if clip_id is None:
        names = [fields[name] for name in AUDIO_FIELDS if isinstance(fields.get(name), str)]
        clip_id = default_id(PurePath(str(names[0]))) if len(names) == 1 else None
    return clip_id if isinstance(clip_id, str) and clip_id and not NOT_IN_ID.search(clip_id) else None


def _without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"the name {twice!a} occurs twice in an object")
    return fields


def _id(fields: Fields, start: float | None, where: str) -> str:
    """Return the id of a row, by default its audio file, and the start in it, as several rows may have one file."""
    path = PurePath(_audio(fields, where))
    clip_id = _text(fields, "id", where)
    if clip_id is None:
        return f"{default_id(path)}@{start:.3f}".rstrip("0").rstrip(".") if start else default_id(path)
    if not clip_id or NOT_IN_ID.search(clip_id):
        raise ManifestError(f"{where}: id can't be empty or hold a tab, a line end or NUL: {clip_id!a}")
    return clip_id


def _audio(fields: Fields, where: str) -> str:
    """Return the path of the audio file. Raises ManifestError."""
    given = [name for name in AUDIO_FIELDS if fields.get(name) is not None]
    if len(given) > 1:
        raise ManifestError(f"{where}: has both {' and '.join(given)}")
    audio = _text(fields, given[0] if given else "audio", where)
    if not audio or "\0" in audio:
        raise ManifestError(f"{where}: audio is not a path: {audio!a}")
    return audio


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


def _alignment(value: object, where: str) -> Alignment | None:
    """Return the alignment of a `words` field, or None if it is missing."""
    if value is None:
        return None
    if not isinstance(value, list):
        raise ManifestError(f"{where}: words is not a list")
    # Labels are left to `drop_labels`, since not every command reads the words.
    builder = AlignmentBuilder(keep_labels=True, keep_silences=True)
    for number, item in enumerate(value, 1):
        here = f"{where}: word {number}"
        if not isinstance(item, dict):
            raise ManifestError(f'{here} is not {{"word", "start", "end"}}')
        word = _encodable_text(item, "word", here)
        if word is None:
            raise ManifestError(f'{here} lacks "word"')
        start, end = read_interval(item, here)
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
    """Return the id of a file that is given without one: its path, without an audio suffix and a leading slash."""
    if path.suffix.lower() in AUDIO_SUFFIXES:
        path = path.with_suffix("")
    return NOT_IN_ID.sub("\N{REPLACEMENT CHARACTER}", path.relative_to(path.anchor).as_posix())
