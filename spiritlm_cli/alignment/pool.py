"""Alignment of many clips in worker processes, with results in order."""

import functools
import multiprocessing
import multiprocessing.connection
import os
import sys
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
from spiritlm_cli.manifests.clip import Alignment, BadClip, Clip, Word
from spiritlm_cli.manifests.labels import Label, text_tokens
from spiritlm_cli.signals import without_interrupts

POCKETSPHINX = "pocketsphinx"
# Clips queued for each process, besides the one that it aligns.
_QUEUED_PER_WORKER = 4
# For the processes that are started, as `python -W`.
_NO_WARNING = "ignore:resource_tracker"


@dataclass(frozen=True)
class Aligned:
    """The words of a clip, and its duration in seconds."""

    alignment: Alignment
    seconds: float


def load_aligner(engine: str = POCKETSPHINX, device: str = "auto") -> Aligner:
    """Load an aligner. engine: "pocketsphinx", or the folder of a CTC model (see `CtcAligner.load`).

    Raises CheckpointError if the folder has no such model, SpiritLMError if the device can't be used.
    """
    if engine == POCKETSPHINX:
        from spiritlm_cli.alignment.pocketsphinx import PocketsphinxAligner

        return PocketsphinxAligner()
    from spiritlm_cli.alignment.ctc import CtcAligner

    return CtcAligner.load(engine, device)


def align_clip(clip: Clip, aligner: Aligner) -> Aligned:
    """Read a clip and align its text. Labels in the text, such as [laughter], become words without duration.

    Raises AudioError, and AlignmentError if the clip has no text or its text doesn't match the audio.
    """
    if clip.text is not None and not clip.text.strip():
        raise AlignmentError(f"{clip.id}: the text is empty")
    if not clip.text:
        raise AlignmentError(
            f"{clip.id}: no text; give a manifest with a field text, or a file NAME.txt beside the audio"
        )
    tokens = list(text_tokens(clip.text))
    spoken = "".join(spaced for _, spaced, label in tokens if label is None)
    if not spoken:
        raise AlignmentError(f"{clip.id}: the text has no words but labels such as {tokens[0][0]}")
    waveform = read_clip(clip)
    alignment = aligner.align(waveform, spoken)
    if any(label for *_, label in tokens):
        alignment = _with_labels(alignment, tokens)
    return Aligned(alignment, waveform.seconds)


def _with_labels(alignment: Alignment, tokens: list[tuple[str, str, Label | None]]) -> Alignment:
    """Return an alignment with the labels of a text, each at the end of the word before it, or at the first word."""
    aligned = iter(alignment.words)
    words: list[Word] = []
    for token, _, label in tokens:
        if label is None:
            words.append(next(aligned))
        elif label is not Label.SILENCE:
            time = words[-1].end if words else alignment.words[0].start
            words.append(Word(token, time, time))
    return Alignment(tuple(words), alignment.notes)


class AlignerPool:
    """Aligns clips concurrently: pocketsphinx in worker processes, a CTC model in this process.

    Clips are read by the process that aligns them.
    """

    def __init__(self, engine: str = POCKETSPHINX, device: str = "auto", workers: int = 0) -> None:
        """engine, device: see `load_aligner`. workers: number of processes; 0 to align in this one.

        A CTC model uses all cores itself, so it ignores `workers`. Raises as `load_aligner`.
        """
        self._max_queued = _QUEUED_PER_WORKER * workers
        self._local_aligner: Aligner | None = None
        self._pool: ProcessPoolExecutor | None = None
        if engine == POCKETSPHINX and workers:
            # If a signal ends this process, another one of multiprocessing frees semaphores. It need not warn of it.
            if _NO_WARNING not in sys.warnoptions:
                sys.warnoptions.append(_NO_WARNING)
            # A forked process would lack the threads of torch.
            self._pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _start_worker)
        else:
            self._local_aligner = load_aligner(engine, device)

    def __enter__(self) -> "AlignerPool":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool:
            # The executor forgets its processes in shutdown. After an error their current clips are not waited for.
            processes = list((getattr(self._pool, "_processes", None) or {}).values())
            self._pool.shutdown(wait=kind is None, cancel_futures=True)
            for process in processes if kind else ():
                process.terminate()

    def submit(self, clip: Clip) -> Outcome[Aligned]:
        """Start to align a clip. The outcome waits for the result; it raises as `align_clip`."""
        # Only this process can read its standard input.
        if self._pool and clip.source != "-":
            with suppress(BrokenExecutor), without_interrupts():
                future: Future[Aligned] = self._pool.submit(_align_in_worker, clip)
                return Outcome.of(lambda: self._wait(future, clip))
        return Outcome.of(lambda: align_clip(clip, self._local_aligner or _pocketsphinx()))

    def _wait(self, future: "Future[Aligned]", clip: Clip) -> Aligned:
        try:
            return future.result()
        except BrokenExecutor:
            # A worker was killed, which ends all of them. Their remaining clips are aligned in this process.
            return align_clip(clip, _pocketsphinx())

    def align_stream(
        self, clips: Iterable[Clip | BadClip]
    ) -> Generator[tuple[Clip | BadClip, Outcome[Aligned]], None, None]:
        """Align clips ahead of their turn. Yields (clip, outcome) in order.

        The outcome of a BadClip raises its error.
        """
        yield from BatchScheduler(
            clips, self._submit_item, lambda outcomes: [outcome.result() for outcome in outcomes],
            size=lambda _: 1.0, max_batch=1.0, max_buffered=max(1.0, self._max_queued), workers=1,
        )  # fmt: skip

    def _submit_item(self, clip: Clip | BadClip) -> list[Outcome[Aligned]]:
        if isinstance(clip, BadClip):
            raise clip.error
        return [self.submit(clip)]


def available_cpus() -> int:
    """Number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start_worker() -> None:
    # A parent that is killed can't stop its workers.
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _align_in_worker(clip: Clip) -> Aligned:
    return align_clip(clip, _pocketsphinx())


@functools.cache
def _pocketsphinx() -> Aligner:
    """The aligner of this process."""
    return load_aligner()
