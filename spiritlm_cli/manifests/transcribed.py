"""Read recordings with their transcripts: a manifest, a folder in LibriSpeech's layout, or one with text files."""

from collections.abc import Iterator
from pathlib import Path

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.clip import BadClip, Clip
from spiritlm_cli.manifests.discovery import find_clips
from spiritlm_cli.manifests.labels import drop_labels
from spiritlm_cli.manifests.librispeech import is_librispeech, scan_librispeech
from spiritlm_cli.manifests.manifest import scan_manifest
from spiritlm_cli.manifests.transcripts import TRANSCRIPT_SUFFIXES, attach_text


def scan_transcribed(source: Path, texts: bool = True) -> Iterator[Clip | BadClip]:
    """Yield the clips of a source, with their texts, without the labels of noise and silence in them.

    source: a manifest (see `scan_manifest`; a text may be missing); a folder in LibriSpeech's layout; or a folder of
    audio files with a text file beside each, `a.txt` or `a.lab` beside `a.wav`. texts: a missing one makes a BadClip.
    Raises ManifestError for a manifest that can't be read.
    """
    return drop_labels(_scan(source, texts))


def _scan(source: Path, texts: bool) -> Iterator[Clip | BadClip]:
    if not source.is_dir():
        yield from scan_manifest(source)
    elif is_librispeech(source):
        yield from scan_librispeech(source)
    else:
        for clip in attach_text(find_clips([str(source)])):
            if texts and isinstance(clip, Clip) and not clip.text:
                suffixes = " or ".join(TRANSCRIPT_SUFFIXES)
                error = ManifestError(
                    f"{clip.source}: no text beside it, in a file with its name and {suffixes}"
                )
                yield BadClip(clip.id, clip.source, error)
            else:
                yield clip
