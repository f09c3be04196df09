"""Which clips a command is to take: named, listed or in a manifest, all or a part of them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from spiritlm_cli.files import standard_input

if TYPE_CHECKING:
    from spiritlm_cli.manifests.clip import BadClip, Clip


@dataclass(frozen=True)
class Inputs:
    """What was named on the command line.

    named: files and folders; manifest, files_from: a file, or - for stdin; nul: names there end in NUL; shard: (i, n),
    the ith of n parts, each a stretch of the whole, which differ by one clip at most.
    Raises a usage error where it is nothing, or too much.
    """

    named: list[str]
    manifest: str | None
    files_from: str | None
    nul: bool
    shard: tuple[int, int] | None

    def __post_init__(self) -> None:
        given = [bool(self.named), self.manifest is not None, self.files_from is not None]
        if not any(given):
            raise typer.BadParameter(
                "give files or folders with sound, - for stdin, --files-from or --manifest",
                param_hint="AUDIO",
            )
        if sum(given) > 1:
            raise typer.BadParameter(
                "give files, --files-from or --manifest, not two of them", param_hint="AUDIO"
            )

    @property
    def several(self) -> bool:
        """Whether what was asked for may be several clips, so that lines need ids: not by what was found, since a
        folder of one file has the same form as any."""
        return not self.named or len(self.named) > 1 or Path(self.named[0]).is_dir()

    @property
    def first(self) -> bool:
        """Whether these are all clips, or the first part of them."""
        return self.shard is None or self.shard[0] == 0

    def count(self) -> int | None:
        """How many clips there are in all, bad ones too; None where that can't be known beforehand.

        Raises ManifestError or AudioError where `clips` would at once.
        """
        from spiritlm_cli.manifests.manifest import count_clips

        if "-" in (self.manifest, self.files_from):
            return None
        whole = sum(1 for _ in self._found()) if self.manifest is None else count_clips(self.manifest)
        return whole if self.shard is None else len(_part(range(whole), *self.shard))

    def clips(self) -> "Iterator[Clip | BadClip]":
        """The clips, one after another. Raises ManifestError and AudioError."""
        from spiritlm_cli.manifests.manifest import count_clips, scan_manifest

        found = self._found() if self.manifest is None else scan_manifest(self.manifest)
        if self.shard is None:
            return iter(found)
        if self.manifest is None or self.manifest == "-":
            clips = list(found)
            return iter([clips[place] for place in _part(range(len(clips)), *self.shard)])
        part = _part(range(count_clips(self.manifest)), *self.shard)
        return islice(iter(found), part.start, part.stop)

    def _found(self) -> "Iterable[Clip]":
        from spiritlm_cli.manifests.discovery import find_clips, read_paths

        if self.files_from is None:
            return find_clips(self.named)
        if self.files_from == "-":
            return find_clips(read_paths(standard_input(), self.nul))
        return self._listed(Path(self.files_from))

    def _listed(self, path: Path) -> "Iterator[Clip]":
        from spiritlm_cli.manifests.discovery import find_clips, read_paths

        with path.open("rb") as stream:
            yield from find_clips(read_paths(stream, self.nul))


def _part(whole: range, part: int, parts: int) -> range:
    return whole[part * len(whole) // parts : (part + 1) * len(whole) // parts]
