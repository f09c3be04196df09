"""Aligned phones of the training clips in JSONL: `{"id": …, "phones": [[phone, start, end], …]}`, in seconds."""

import json
from collections.abc import Iterable
from pathlib import Path

from spiritlm_cli.alignment.pocketsphinx import Phone, PocketsphinxAligner
from spiritlm_cli.console import notify, track
from spiritlm_cli.errors import ManifestError, SpiritLMError
from spiritlm_cli.files import write_text
from spiritlm_cli.manifests.clip import Clip, Waveform
from spiritlm_cli.manifests.labels import remove_labels
from spiritlm_cli.manifests.manifest import read_manifest
from spiritlm_cli.manifests.row import parse_json_fields
from spiritlm_cli.text_files import numbered_lines, valid_lines
from spiritlm_cli.training.audio_file import read_named_clip

Phones = tuple[Phone, ...]


def load_phones(path: Path, manifest: Path) -> dict[str, Phones]:
    """Read phones by clip id from `path`. If the file does not exist, align the clips of `manifest` and write it first.

    Raises ManifestError for an invalid file.
    """
    if not path.is_file():
        notify(f"{path}: aligning the phones of {manifest}")
        clips = ((clip, read_named_clip(clip)) for clip in read_manifest(manifest) if clip.text)
        write_phones(path, align_phones(clips))
    return read_phones(path)


def align_phones(clips: Iterable[tuple[Clip, Waveform]]) -> dict[str, Phones]:
    """Align clips with pocketsphinx. Returns phones, silences included, by clip id.

    Clips without text are left out. Clips that can't be aligned are left out and reported on stderr.
    """
    aligner = PocketsphinxAligner()
    aligned = {}
    for clip, waveform in track(clips, "phones of clips"):
        if clip.text:
            try:
                aligned[clip.id] = aligner.align_phones(waveform, remove_labels(clip.text, clip.id)[0])[1]
            except SpiritLMError as error:
                notify(f"{clip.id}: not aligned ({error})")
    return aligned


def write_phones(path: Path, phones: dict[str, Phones]) -> None:
    """Write phones by clip id as JSONL, atomically."""
    rows = (
        {"id": clip, "phones": [[phone.phone, phone.start, phone.end] for phone in aligned]}
        for clip, aligned in phones.items()
    )
    write_text(path, "".join(json.dumps(row) + "\n" for row in rows))


def read_phones(path: Path) -> dict[str, Phones]:
    """Read phones by clip id. Raises ManifestError, with the line number, for an invalid line."""
    phones = {}
    for line_number, line in valid_lines(numbered_lines(path)):
        entry = parse_json_fields(line, f"{path}: line {line_number}")
        try:
            phones[str(entry["id"])] = tuple(map(_phone, _items(entry["phones"])))
        except (ValueError, KeyError) as error:
            raise ManifestError(f"{path}: line {line_number}: not a line of phones ({error})") from error
    return phones


def _phone(item: object) -> Phone:
    """Return the phone of [phone, start, end]. Raises ValueError for invalid times."""
    phone, start, end = _items(item)
    if not isinstance(start, int | float) or not isinstance(end, int | float) or not 0 <= start <= end < 1e9:
        raise ValueError(f"{item!a} is not [phone, start, end]")
    return Phone(str(phone), float(start), float(end))


def _items(value: object) -> list[object]:
    if not isinstance(value, list):
        raise ValueError(f"{value!a} is not a list")
    return value
