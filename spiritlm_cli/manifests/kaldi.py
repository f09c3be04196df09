"""The files of Kaldi's data folders: wav.scp, and segments, which is beside it or not."""

import re
from collections.abc import Iterable
from pathlib import Path

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.manifests.row import Fields, clip_from_fields

_TO_THE_END = re.compile(r"-1(\.0*)?")


def recording_row(text: str, where: str) -> Fields:
    """The fields of a line of wav.scp: `recording path`.

    Raises ManifestError for anything else, and for a command in the path's place.
    """
    recording, *rest = text.split(maxsplit=1)
    if not rest:
        raise ManifestError(f"{where}: not 'id path'")
    audio = rest[0].strip()
    if audio.endswith("|") or audio.startswith("|"):
        raise ManifestError(f"{where}: a command, which is not run; give the file it would make")
    return {"id": recording, "audio": audio}


def segments_beside(manifest: Path) -> Path | None:
    """The file of segments that belongs to a wav.scp; each of the two may be gzipped."""
    if manifest.name in ("wav.scp", "wav.scp.gz"):
        for name in ("segments", "segments.gz"):
            if (manifest.parent / name).is_file():
                return manifest.parent / name
    return None


class Segments:
    """What the lines of segments mean: `utterance recording start end`, in seconds; an end of -1 is the file's."""

    def __init__(self, recordings: Iterable[tuple[int, str]], name: str, folder: Path) -> None:
        """recordings: the numbered lines of the wav.scp, which is called `name` and lies in `folder`.

        A line of it that can't be used costs the segments of its recording.
        """
        self._name = name
        self._folder = folder
        self._recordings: dict[str, Fields | ManifestError] = {}
        for number, text in recordings:
            where = f"{name}: line {number}"
            recording = text.split(maxsplit=1)[0]
            try:
                if recording in self._recordings:
                    raise ManifestError(f"{where}: recording {recording!r} was there before")
                self._recordings[recording] = recording_row(text, where)
            except ManifestError as error:
                self._recordings[recording] = error

    def row(self, text: str, where: str) -> Fields:
        """The fields of a line. Raises ManifestError for one that hasn't four."""
        columns = text.split()
        if len(columns) != 4:
            raise ManifestError(f"{where}: not 'utterance recording start end'")
        utterance, recording, start, end = columns
        stretch = {"start": start} if _TO_THE_END.fullmatch(end) else {"start": start, "end": end}
        return {"id": utterance, "recording": recording, **stretch}

    def clip(self, fields: Fields, where: str) -> Clip:
        """Raises ManifestError for a recording that isn't there, or can't be used, and for times that can't be."""
        recording = str(fields["recording"])
        found = self._recordings.get(recording)
        if found is None:
            raise ManifestError(f"{where}: recording {recording!r} is not in {self._name}")
        if isinstance(found, ManifestError):
            raise ManifestError(f"{where}: recording {recording!r} can't be used ({found})")
        return clip_from_fields(self._folder, {**fields, "audio": found["audio"]}, where)
