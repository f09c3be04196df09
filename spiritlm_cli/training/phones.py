"""Aligned phones of the training clips, as a file: `{"id": …, "phones": [[phone, start, end], …]}` a line."""

import json
from collections.abc import Iterable
from pathlib import Path

from spiritlm_cli.alignment.pocketsphinx import Phone, PocketsphinxAligner
from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.console import notify
from spiritlm_cli.errors import ManifestError, SpiritLMError
from spiritlm_cli.files import write_text
from spiritlm_cli.manifests.clip import Clip, Waveform
from spiritlm_cli.manifests.manifest import read_manifest

Phones = tuple[Phone, ...]


def load_phones(path: Path, manifest: Path) -> dict[str, Phones]:
    """Phones by clip id from `path`; where it doesn't exist, they are aligned first, and written there."""
    if not path.is_file():
        notify(f"{path}: aligning the phones of {manifest}")
        clips = ((clip, read_clip(clip)) for clip in read_manifest(manifest) if clip.text)
        write_phones(path, align_phones(clips))
    return read_phones(path)


def align_phones(clips: Iterable[tuple[Clip, Waveform]]) -> dict[str, Phones]:
    """Phones by clip id, silences included. A clip without text, or whose text doesn't fit, is left out and named."""
    aligner = PocketsphinxAligner()
    aligned = {}
    for clip, waveform in clips:
        if clip.text:
            try:
                aligned[clip.id] = aligner.align_phones(waveform, clip.text)[1]
            except SpiritLMError as error:
                notify(f"{clip.id}: not aligned ({error})")
    return aligned


def write_phones(path: Path, phones: dict[str, Phones]) -> None:
    """Write a file of phones atomically."""
    rows = (
        {"id": clip, "phones": [[phone.phone, phone.start, phone.end] for phone in aligned]}
        for clip, aligned in phones.items()
    )
    write_text(path, "".join(json.dumps(row) + "\n" for row in rows))


def read_phones(path: Path) -> dict[str, Phones]:
    """Phones by clip id. Raises ManifestError, with the line's number, where the file is not one of phones."""
    phones = {}
    with path.open(encoding="utf-8") as lines:
        for line_number, line in enumerate(lines, 1):
            try:
                entry = json.loads(line)
                phones[str(entry["id"])] = tuple(
                    Phone(str(phone), float(start), float(end)) for phone, start, end in entry["phones"]
                )
            except (ValueError, KeyError, TypeError) as error:
                raise ManifestError(f"{path}:{line_number}: not a line of phones ({error})") from error
    return phones
