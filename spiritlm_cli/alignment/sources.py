"""Sources of word times: alignment files, manifests and aligners."""

from pathlib import Path
from types import TracebackType

from spiritlm_cli.alignment.pool import AlignerPool
from spiritlm_cli.alignment.store import AlignmentFiles
from spiritlm_cli.batching import Outcome
from spiritlm_cli.errors import AlignmentError
from spiritlm_cli.manifests.clip import BadClip, Clip, Transcript


class WordTimes:
    """Gives clips their text and word times: from alignment files, else from the clip itself, else from an aligner."""

    def __init__(
        self,
        alignments: Path | str | None = None,
        aligner: str | None = None,
        device: str = "auto",
        workers: int = 0,
        keep_labels: bool = False,
    ) -> None:
        """Open the alignment files, or load the aligner.

        alignments: see `AlignmentFiles`; with them, no aligner is used. aligner: the engine, or None for no aligner;
        device, workers: see `AlignerPool`. keep_labels: see `AlignmentFiles.open`.
        Raises ManifestError if the alignment files can't be opened, CheckpointError if the aligner can't be loaded.
        """
        self._files = None if alignments is None else AlignmentFiles.open(alignments, keep_labels)
        # Loaded here, since `submit` may be called by any thread.
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
        """Start to look up or align a clip's words. The outcome waits for its text and word times.

        The clip's own text takes precedence over that of an alignment file.
        The outcome raises ManifestError, AudioError and AlignmentError.
        """
        if isinstance(clip, BadClip):
            return Outcome.failure(clip.error)
        if self._files:
            files = self._files
            return Outcome.of(lambda: _look_up(clip, files))
        if clip.alignment or not clip.text or self._pool is None:
            return Outcome([Transcript(clip.text, clip.alignment)])
        return self._pool.submit(clip).map(lambda aligned: Transcript(clip.text, aligned.alignment))


def _look_up(clip: Clip, files: AlignmentFiles) -> Transcript:
    transcript = files.find(clip.id)
    if transcript is None:
        raise AlignmentError(f"{clip.id}: {files.path} has no alignment of this id")
    return Transcript(transcript.text if clip.text is None else clip.text, transcript.alignment)
