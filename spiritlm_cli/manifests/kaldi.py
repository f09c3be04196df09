"""Read the files of Kaldi data folders: wav.scp, and the segments file that may be beside it."""

import re
from collections.abc import Iterable
from pathlib import Path

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.manifests.lhotse import Fields
from spiritlm_cli.manifests.row import clip_from_fields
from spiritlm_cli.text_files import NumberedLine, valid_lines

# An end of -1 means the end of the recording.
_END_OF_RECORDING = re.compile(r"-1(\.0*)?")


def parse_wav_scp_line(text: str, where: str) -> Fields:
    """Parse a line of wav.scp, `recording path`, into the fields `id` and `audio`.

    where: file and line, for errors. Raises ManifestError for another form, and for a command instead of a path.
    """
    recording, *rest = text.split(maxsplit=1)
    if not rest:
        raise ManifestError(f"{where}: not 'id path'")
    audio = rest[0].strip()
    if audio.endswith("|") or audio.startswith("|"):
        raise ManifestError(f"{where}: a command, which is not run; give the file it would make")
    return {"id": recording, "audio": audio}


def find_segments(manifest: Path) -> Path | None:
    """Return the segments file beside a wav.scp, or None. Both may be gzipped (`.gz`)."""
    if manifest.name in ("wav.scp", "wav.scp.gz"):
        for name in ("segments", "segments.gz"):
            if (manifest.parent / name).is_file():
                return manifest.parent / name
    return None


class SegmentParser:
    """Parse the lines of a segments file, `utterance recording start end` with times in seconds, into clips."""

    def __init__(self, recordings: Iterable[NumberedLine], name: str, folder: Path) -> None:
        """recordings: lines of the wav.scp with their line numbers. name: of the wav.scp, for errors. folder: its own.

        An invalid line of the wav.scp makes the segments of its recording invalid, and no others.
        Raises ManifestError for a line of the wav.scp that is not text.
        """
        self._name = name
        self._folder = folder
        self._recordings: dict[str, Fields | ManifestError] = {}
        for line_number, text in valid_lines(recordings):
            where = f"{name}: line {line_number}"
            recording = text.split(maxsplit=1)[0]
            try:
                if recording in self._recordings:
                    raise ManifestError(f"{where}: duplicate recording {recording!r}")
                self._recordings[recording] = parse_wav_scp_line(text, where)
            except ManifestError as error:
                self._recordings[recording] = error

    def parse(self, text: str, where: str) -> Fields:
        """Parse a line into the fields `id`, `recording`, `start` and `end`. Raises ManifestError for another form."""
        columns = text.split()
        if len(columns) != 4:
            raise ManifestError(f"{where}: not 'utterance recording start end'")
        utterance, recording, start, end = columns
        times = {"start": start} if _END_OF_RECORDING.fullmatch(end) else {"start": start, "end": end}
        return {"id": utterance, "recording": recording, **times}

    def clip(self, fields: Fields, where: str) -> Clip:
        """Return the clip of a parsed line. Raises ManifestError for an unknown or invalid recording, or bad times."""
        recording = str(fields["recording"])
        entry = self._recordings.get(recording)
        if entry is None:
            raise ManifestError(f"{where}: recording {recording!r} is not in {self._name}")
        if isinstance(entry, ManifestError):
            raise ManifestError(f"{where}: recording {recording!r} can't be used ({entry})")
        return clip_from_fields(self._folder, {**fields, "audio": entry["audio"]}, where)
