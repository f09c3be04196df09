"""Files of a folder by the names that other files call them: ids of clips, or names in an item file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Generic, TypeVar

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.clip import BadClip, Clip
from spiritlm_cli.manifests.discovery import find_clips
from spiritlm_cli.manifests.filenames import filename_for

T = TypeVar("T")


class NamedFiles(Generic[T]):
    """Finds a file by its path in the folder without suffix, by its name alone if that is there once, or by an id whose
    `filename_for` is one of both."""

    def __init__(self, files: Mapping[str, T | ManifestError], folder: Path) -> None:
        """files: by their paths in the folder, without suffix; or why a path can't be used. folder: named in errors."""
        self._files, self._folder = files, folder
        self._paths: dict[str, list[str]] = {}
        for path in files:
            self._paths.setdefault(path.rpartition("/")[2], []).append(path)

    @staticmethod
    def audio(folder: Path) -> "NamedFiles[Clip]":
        """The audio files in and below a folder, as clips. Raises ManifestError if there are none."""
        clips = list(find_clips([str(folder)]))
        if isinstance(clips[0], BadClip) and len(clips) == 1:
            raise clips[0].error
        # Of two files that differ in their suffix alone, the second is a BadClip of the same id.
        return NamedFiles(
            {clip.id: clip.error if isinstance(clip, BadClip) else clip for clip in clips}, folder
        )

    def __getitem__(self, name: str) -> T:
        """The file of a name. Raises ManifestError if there is none, or there are several."""
        file = self._files[self._path(name)]
        if isinstance(file, ManifestError):
            raise file
        return file

    def _path(self, name: str) -> str:
        for one in dict.fromkeys((name, filename_for(name))):
            if one in self._files:
                return one
            found = self._paths.get(one, [])
            if len(found) == 1:
                return found[0]
            if found:
                names = ", ".join(found[:3])
                raise ManifestError(f"{self._folder}: several files have the name {name[:200]!r}: {names}")
        raise ManifestError(f"{self._folder}: there is no file of the name {name[:200]!r}")
