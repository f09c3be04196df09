"""Where the words of clips and their times come from."""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from spiritlm_cli.alignment.pool import AlignerPool
from spiritlm_cli.alignment.store import AlignmentFiles
from spiritlm_cli.errors import AlignmentError
from spiritlm_cli.manifests.clip import Alignment, BadClip, Clip

# waits for the text and the word times of a clip
Asked = Callable[[], tuple[str | None, Alignment | None]]


class WordTimes:
    """Text and word times of clips: from alignment files, else from the clip itself, else from an aligner."""

    def __init__(
        self,
        alignments: Path | str | None = None,
        aligner: str | None = None,
        device: str = "auto",
        workers: int = 0,
    ) -> None:
        """alignments: see `AlignmentFiles`; with them no aligner is used. aligner, device, workers: see `AlignerPool`;
        None for no aligner.

        Raises ManifestError where there are no such files, CheckpointError where there is no such aligner.
        """
        self._files = None if alignments is None else AlignmentFiles.open(alignments)
        # now, not when it is first needed: then it would be loaded in whatever thread asks
        self._pool = AlignerPool(aligner, device, workers) if aligner and not self._files else None

    def __enter__(self) -> "WordTimes":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._files:
            self._files.close()
        if self._pool:
            self._pool.__exit__(kind, error, trace)

    def ask(self, clip: Clip | BadClip) -> Asked:
        """Ask for text and word times of a clip, which may take a while; the answer waits for them.

        Both are None where they are not known. The clip's own text goes before a file's. The answer raises
        ManifestError, AudioError and AlignmentError.
        """
        if isinstance(clip, BadClip):
            return lambda: (None, None)
        if self._files:
            files = self._files
            return lambda: _find(clip, files)
        if clip.alignment or not clip.text or self._pool is None:
            return lambda: (clip.text, clip.alignment)
        answer = self._pool.submit(clip)
        return lambda: (clip.text, answer().alignment)


def _find(clip: Clip, files: AlignmentFiles) -> tuple[str | None, Alignment]:
    found = files.find(clip.id)
    if found is None:
        raise AlignmentError(f"{clip.id}: there is no alignment of that id in {files.path}")
    return found.text if clip.text is None else clip.text, found.alignment
