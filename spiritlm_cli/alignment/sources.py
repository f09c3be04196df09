"""Where the words of clips and their times come from."""

from pathlib import Path
from types import TracebackType

from spiritlm_cli.alignment.pool import AlignerPool
from spiritlm_cli.alignment.store import AlignmentFiles
from spiritlm_cli.batching import Outcome
from spiritlm_cli.errors import AlignmentError
from spiritlm_cli.manifests.clip import BadClip, Clip, Transcript


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

    def submit(self, clip: Clip | BadClip) -> Outcome[Transcript]:
        """Start to look for a clip's text and word times. The outcome waits for them.

        The clip's own text takes precedence over a file's. The outcome raises ManifestError, AudioError and
        AlignmentError.
        """
        if isinstance(clip, BadClip):
            return Outcome.failure(clip.error)
        if self._files:
            files = self._files
            return Outcome.of(lambda: _find(clip, files))
        if clip.alignment or not clip.text or self._pool is None:
            return Outcome([Transcript(clip.text, clip.alignment)])
        return self._pool.submit(clip).map(lambda aligned: Transcript(clip.text, aligned.alignment))


def _find(clip: Clip, files: AlignmentFiles) -> Transcript:
    found = files.find(clip.id)
    if found is None:
        raise AlignmentError(f"{clip.id}: there is no alignment of that id in {files.path}")
    return Transcript(found.text if clip.text is None else clip.text, found.alignment)
