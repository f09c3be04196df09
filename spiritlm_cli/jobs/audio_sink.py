"""Where decoded audio goes: one file, a file for each id in a folder, or stdout."""

import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol

from spiritlm_cli.audio.resampling import Resampler
from spiritlm_cli.audio.writing import AudioWriter, check_output_path
from spiritlm_cli.errors import AudioError
from spiritlm_cli.jobs.folder import OutputFolder
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.streams import is_stdout

# Files of a folder that wait for the disk at the same time.
_MAX_UNFINISHED = 8


@dataclass(frozen=True)
class AudioFormat:
    """How audio is written. rate: samples a second (None: the model's); floats: 32-bit floats, not 16-bit integers."""

    rate: int | None = None
    floats: bool = False

    @property
    def subtype(self) -> str | None:
        """libsndfile's name of the sample format (None: the container's usual one)."""
        return "FLOAT" if self.floats else None

    def writer(self, target: Path | BinaryIO, model_rate: int, frames: int | None = None) -> AudioWriter:
        """model_rate: the rate of the audio given to it; frames: its length, where that is known."""
        return AudioWriter(target, self.rate or model_rate, subtype=self.subtype, frames=frames)

    def resampled(self, blocks: Iterable[Waveform], streaming: bool = False) -> Iterator[Waveform]:
        """The blocks of one sequence at the output rate: at least one block, which may be empty.

        streaming: give each block before the next one is made; what is left in the resampler comes as a last block.
        """
        blocks = iter(blocks)
        block = next(blocks)
        rate = self.rate or block.rate
        resampler = Resampler(block.rate, rate)
        if streaming:
            for one in chain([block], blocks):
                yield Waveform(resampler.feed(one.samples), rate)
            block, blocks = Waveform(block.samples[:0], block.rate), iter(())
        for following in blocks:
            yield Waveform(resampler.feed(block.samples), rate)
            block = following
        yield Waveform(resampler.feed(block.samples, last=True), rate)


class AudioSink(Protocol):
    """What takes the audio of each line, in order."""

    def __enter__(self) -> Any: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    def has(self, id: str) -> bool:  # noqa: A002
        """Whether an interrupted run has written it."""
        ...

    def write(self, blocks: Iterable[Waveform], id: str, streaming: bool = False) -> None:  # noqa: A002
        """Write the blocks of one sequence. Raises what making them does, and AudioError."""
        ...


class FolderSink:
    """A file for each sequence, named by its id.

    A file has its name when its content is on the disk, which threads wait for. An error of the disk is raised when a
    later sequence is written, or at the end.
    """

    def __init__(self, folder: OutputFolder, audio_format: AudioFormat = AudioFormat()) -> None:
        self._folder, self._format = folder, audio_format
        self._unfinished: deque[Future[None]] = deque()

    def __enter__(self) -> "FolderSink":
        with ExitStack() as stack:
            stack.enter_context(self._folder)
            self._threads = stack.enter_context(ThreadPoolExecutor(_MAX_UNFINISHED))
            stack.callback(self._wait, 0)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def _wait(self, left: int) -> None:
        """Wait until at most so many files are unfinished. Raises OSError and AudioError."""
        while len(self._unfinished) > left:
            self._unfinished.popleft().result()

    def has(self, id: str) -> bool:  # noqa: A002
        """Whether an interrupted run has written it."""
        return self._folder.has(id)

    def write(self, blocks: Iterable[Waveform], id: str, streaming: bool = False) -> None:  # noqa: A002
        """Write a file. Raises what making the blocks does, and AudioError for an id that has a file."""
        blocks = self._format.resampled(blocks, streaming)
        # A line that can't be decoded takes no name from another.
        first = next(blocks)
        path = self._folder.claim(id, AudioError)
        with ExitStack() as stack:
            file = stack.enter_context(self._format.writer(path, first.rate))
            for block in chain([first], blocks):
                file.write(block.samples)
            self._unfinished.append(self._threads.submit(stack.pop_all().close))
        self._wait(_MAX_UNFINISHED)


class FileSink:
    """One sequence in a file or on stdout; several are an error, or are written one after another.

    A file has its name only when it is complete.
    """

    def __init__(self, path: str, concat: bool, audio_format: AudioFormat = AudioFormat()) -> None:
        """Raises AudioError for a name that no audio can be written to."""
        if not is_stdout(path):
            check_output_path(path, audio_format.subtype)
        self._path, self._concat, self._format = path, concat, audio_format
        self._stack = ExitStack()
        self._file: AudioWriter | None = None

    def __enter__(self) -> "FileSink":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)
        if kind is None and self._file is None:
            raise AudioError(f"no line to decode: {self._path} is not written")

    def has(self, id: str) -> bool:  # noqa: A002
        """One file is always written anew."""
        return False

    def write(self, blocks: Iterable[Waveform], id: str, streaming: bool = False) -> None:  # noqa: A002
        """Write a sequence; streaming: each block before the next one is made.

        Raises what making the blocks does, and AudioError for a second sequence without `concat`.
        """
        blocks = self._format.resampled(blocks, streaming)
        first, second = next(blocks), None if streaming else next(blocks, None)
        if self._file and not self._concat:
            raise AudioError("a second sequence for one file; use --concat, or -o FOLDER/ for a file an id")
        if self._file is None:
            target: Path | BinaryIO = sys.stdout.buffer if is_stdout(self._path) else Path(self._path)
            # Audio of one block is announced with its length, which some players need.
            known = second is None and not streaming and not self._concat
            frames = len(first.samples) if known else None
            self._file = self._stack.enter_context(self._format.writer(target, first.rate, frames))
        for block in chain([first], [second] if second else [], blocks):
            self._file.write(block.samples)
