"""Which clips a job takes: named, listed or in a manifest, all or a part of them."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from spiritlm_cli.errors import ManifestError, OptionError
from spiritlm_cli.jobs.options.paths import FileKey, file_key, output_keys
from spiritlm_cli.jobs.options.shared import ClipOptions
from spiritlm_cli.manifests.clip import BadClip, Clip
from spiritlm_cli.manifests.discovery import find_clips, read_paths
from spiritlm_cli.manifests.manifest import count_clips, is_read_once, scan_manifest
from spiritlm_cli.manifests.transcripts import TRANSCRIPT_SUFFIXES
from spiritlm_cli.streams import standard_input


@dataclass(frozen=True)
class Inputs:
    """The clips that options name.

    named: files and folders; manifest, files_from: a file, or - for stdin; null: names there end with NUL;
    shard: (i, n), part i of n, each a stretch of the whole; parts differ by one clip at most; replaced: files that the
    outputs replace; texts: whether the transcript beside an audio file is read.
    """

    named: tuple[str, ...]
    manifest: str | None
    files_from: str | None
    null: bool
    shard: tuple[int, int] | None
    replaced: frozenset[FileKey] = frozenset()
    texts: bool = False

    @classmethod
    def of(cls, options: ClipOptions, texts: bool = False) -> "Inputs":
        """The inputs that options name. texts: whether the transcript beside an audio file is read."""
        named = (options.audio, options.manifest, options.files_from, options.null, options.shard)
        return cls(*named, output_keys(options), texts)

    @property
    def several(self) -> bool:
        """Whether there may be several clips, so that lines need ids.

        It depends on what is asked for, not on what is there: a folder of one file has the same form as any.
        """
        return not self.named or len(self.named) > 1 or Path(self.named[0]).is_dir()

    @property
    def first(self) -> bool:
        """Whether these are all clips, or the first part of them."""
        return self.shard is None or self.shard[0] == 0

    def count(self) -> int | None:
        """Number of clips, bad ones too; None where it can't be known beforehand.

        Raises ManifestError and AudioError where `clips` would at once.
        """
        if any(path is not None and is_read_once(path) for path in (self.manifest, self.files_from)):
            return None
        whole = sum(1 for _ in self._named_clips()) if self.manifest is None else count_clips(self.manifest)
        return whole if self.shard is None else len(shard_range(range(whole), *self.shard))

    def clips(self) -> Iterator[Clip | BadClip]:
        """The clips, one after another.

        Raises ManifestError and AudioError, and OptionError for a clip that is an output.
        """
        clips = self._clips()
        return self._checked(clips) if self.replaced else clips

    def _checked(self, clips: Iterable[Clip | BadClip]) -> Iterator[Clip | BadClip]:
        suffixes = TRANSCRIPT_SUFFIXES if self.texts else ()
        for clip in clips:
            if isinstance(clip, Clip) and clip.source != "-" and Path(clip.source).name:
                audio = Path(clip.source)
                for path in (audio, *map(audio.with_suffix, suffixes)):
                    if file_key(path) in self.replaced:
                        raise OptionError(f"{path} is an input and an output: write to another file")
            yield clip

    def _clips(self) -> Iterator[Clip | BadClip]:
        clips: Iterable[Clip | BadClip]
        clips = self._named_clips() if self.manifest is None else scan_manifest(self.manifest)
        if self.shard is None:
            return iter(clips)
        if self.manifest is None or is_read_once(self.manifest):
            known = list(clips)
            return iter([known[index] for index in shard_range(range(len(known)), *self.shard)])
        part = shard_range(range(count_clips(self.manifest)), *self.shard)
        return islice(iter(clips), part.start, part.stop)

    def _named_clips(self) -> Iterable[Clip | BadClip]:
        if self.files_from is None:
            return find_clips(self.named)
        if self.files_from == "-":
            return self._listed("stdin", nullcontext(standard_input()))
        return self._listed(self.files_from, Path(self.files_from).open("rb"))

    def _listed(self, name: str, opened: AbstractContextManager[BinaryIO]) -> Iterator[Clip | BadClip]:
        with opened as stream:
            try:
                yield from find_clips(read_paths(stream, self.null))
            except ManifestError as error:
                raise ManifestError(f"{name}: {error}") from None


def shard_range(whole: range, part: int, parts: int) -> range:
    """Part `part` of `parts` equal ones; the first is 0."""
    return whole[part * len(whole) // parts : (part + 1) * len(whole) // parts]
