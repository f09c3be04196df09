"""Many clips through an aligner, in processes beside this one, answers in order."""

import functools
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Generator, Iterable
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

from spiritlm_cli.alignment.aligner import Aligner
from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.batching import BatchScheduler, Outcome
from spiritlm_cli.errors import AlignmentError
from spiritlm_cli.manifests.clip import Alignment, BadClip, Clip

POCKETSPHINX = "pocketsphinx"
# Clips that each process has been given, beside the one that it is at.
_AHEAD = 4


@dataclass(frozen=True)
class Aligned:
    """The words of a clip, and how many seconds of sound it has."""

    alignment: Alignment
    seconds: float


def load_aligner(engine: str = POCKETSPHINX, device: str = "auto") -> Aligner:
    """`pocketsphinx`, or the folder of a CTC model of the wav2vec2 kind.

    Raises CheckpointError for a folder that holds none.
    """
    if engine == POCKETSPHINX:
        from spiritlm_cli.alignment.pocketsphinx import PocketsphinxAligner

        return PocketsphinxAligner()
    from spiritlm_cli.alignment.ctc import CtcAligner

    return CtcAligner.load(engine, device)


def align_clip(clip: Clip, aligner: Aligner) -> Aligned:
    """Read a clip and align its text. Raises AudioError, and AlignmentError where it has no text or another's."""
    if clip.text is not None and not clip.text.strip():
        raise AlignmentError(f"{clip.id}: its text is empty")
    if not clip.text:
        raise AlignmentError(
            f"{clip.id}: no text; give a manifest with a field text, or put it beside the sound, as NAME.txt"
        )
    waveform = read_clip(clip)
    return Aligned(aligner.align(waveform, clip.text), waveform.seconds)


class AlignerPool:
    """An aligner for clips that are asked for ahead of time: pocketsphinx in `workers` processes, others in this one.

    workers: 0 for none, all in this one. Reading and pocketsphinx hold one core each; a CTC model uses all by itself.
    """

    def __init__(self, engine: str = POCKETSPHINX, device: str = "auto", workers: int = 0) -> None:
        """Raises CheckpointError as `load_aligner`."""
        self.ahead = _AHEAD * workers
        self._here: Aligner | None = None
        self._pool: ProcessPoolExecutor | None = None
        if engine == POCKETSPHINX and workers:
            # not forked: torch's threads, where there are any, would not be in the copy
            self._pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin)
        else:
            self._here = load_aligner(engine, device)

    def __enter__(self) -> "AlignerPool":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool:
            # gone once the pool is shut down; nobody waits for what they are at
            processes = list((getattr(self._pool, "_processes", None) or {}).values())
            self._pool.shutdown(wait=kind is None, cancel_futures=True)
            for process in processes if kind else ():
                process.terminate()

    def submit(self, clip: Clip) -> Outcome[Aligned]:
        """Start to align a clip. The outcome waits for it and raises what `align_clip` does."""
        # standard input is this process's own
        if self._pool and clip.source != "-":
            with suppress(BrokenExecutor):
                future: Future[Aligned] = self._pool.submit(_align, clip)
                return Outcome.of(lambda: self._wait(future, clip))
        return Outcome.of(lambda: align_clip(clip, self._here or _pocketsphinx()))

    def _wait(self, future: "Future[Aligned]", clip: Clip) -> Aligned:
        try:
            return future.result()
        except BrokenExecutor:
            # somebody ended a process, and with it all; what they had not done is done here
            return align_clip(clip, _pocketsphinx())

    def align_stream(
        self, clips: Iterable[Clip | BadClip]
    ) -> Generator[tuple[Clip | BadClip, Outcome[Aligned]], None, None]:
        """Align clips, some ahead of their turn. Yields (clip, outcome) in order; a BadClip's raises its error."""
        yield from BatchScheduler(
            clips, self._submitted, lambda waiting: [outcome.result() for outcome in waiting],
            size=lambda _: 1.0, max_batch=1.0, max_buffered=max(1.0, self.ahead), workers=1,
        )  # fmt: skip

    def _submitted(self, clip: Clip | BadClip) -> list[Outcome[Aligned]]:
        if isinstance(clip, BadClip):
            raise clip.error
        return [self.submit(clip)]


def available_cpus() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# What the processes do.


def _begin() -> None:
    # Ctrl-C goes to all; the one that was asked says so
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # a process that is killed tells nobody
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _align(clip: Clip) -> Aligned:
    return align_clip(clip, _pocketsphinx())


@functools.cache
def _pocketsphinx() -> Aligner:
    return load_aligner()
