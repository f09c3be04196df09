"""Where decoded sound goes: one file, a file for each id in a folder, or stdout."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO

from spiritlm_cli.errors import AudioError
from spiritlm_cli.manifests.filenames import filename_for

if TYPE_CHECKING:
    from spiritlm_cli.audio.writing import AudioWriter
    from spiritlm_cli.manifests.clip import Waveform


@dataclass(frozen=True)
class Recording:
    """How sound is written. rate: samples a second (None: as it is made); floats: 32 bits, not 16."""

    rate: int | None = None
    floats: bool = False

    @property
    def subtype(self) -> str | None:
        """libsndfile's name of the samples (None: the format's usual)."""
        return "FLOAT" if self.floats else None

    def writer(self, target: Path | BinaryIO, made: int, frames: int | None = None) -> "AudioWriter":
        """made: the rate that sound is made at; frames: how long it is, where that is known."""
        from spiritlm_cli.audio.writing import AudioWriter

        return AudioWriter(target, self.rate or made, subtype=self.subtype, frames=frames)

    def resampled(self, blocks: "Iterable[Waveform]", growing: bool = False) -> "Iterator[Waveform]":
        """The blocks of one sound at the rate that it is written at; one at least, which may be empty.

        growing: none waits for the one after it, and what the resampler has left comes as one more at the end.
        """
        from spiritlm_cli.audio.resampling import Resampler
        from spiritlm_cli.manifests.clip import Waveform

        blocks = iter(blocks)
        block = next(blocks)
        rate = self.rate or block.rate
        resampler = Resampler(block.rate, rate)
        if growing:
            for one in chain([block], blocks):
                yield Waveform(resampler.feed(one.samples), rate)
            block, blocks = Waveform(block.samples[:0], block.rate), iter(())
        for following in blocks:
            yield Waveform(resampler.feed(block.samples), rate)
            block = following
        yield Waveform(resampler.feed(block.samples, last=True), rate)


class Folder:
    """A file for each sequence, named by its id."""

    def __init__(
        self, folder: Path, suffix: str, recording: Recording = Recording(), resume: bool = False
    ) -> None:
        """resume: leave files alone that are there already."""
        self._folder, self._suffix, self._recording = folder, suffix, recording
        self._resume = resume
        self._written: set[str] = set()

    def __enter__(self) -> "Folder":
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def has(self, id: str) -> bool:  # noqa: A002
        """Whether an earlier run has written it."""
        return self._resume and self._path(id).is_file()

    def write(self, blocks: "Iterable[Waveform]", id: str, growing: bool = False) -> bool:  # noqa: A002
        """blocks: of one sound, one after another; True. Raises what getting them does, and AudioError for an id
        that was there before, even if only in capitals."""
        path, there = self._path(id), self.has(id)
        blocks = self._recording.resampled(blocks, growing)
        # a line that can't be spoken takes no name from another
        first = None if there else next(blocks)
        if path.name.casefold() in self._written:
            raise AudioError(f"{path.name} is already written by another line of that id")
        self._written.add(path.name.casefold())
        if first is None:
            return True
        with self._recording.writer(path, first.rate) as file:
            for block in chain([first], blocks):
                file.write(block.samples)
        return True

    def _path(self, id: str) -> Path:  # noqa: A002
        return self._folder / (filename_for(id) + self._suffix)


class OneFile:
    """One sound, in a file or on stdout; several are an error, or are put one after the other.

    A file has its name at the end, so that there is none where there was an error.
    """

    def __init__(self, path: str, concat: bool, recording: Recording = Recording()) -> None:
        """Raises AudioError for a name that no sound can be written under."""
        from spiritlm_cli.audio.writing import check_output_path

        if path != "-":
            if not Path(path).suffix and not Path(path).exists():
                raise AudioError(f"{path}: a sound needs a suffix, such as .wav; a folder is {path}/")
            check_output_path(path, recording.subtype)
        self._path, self._concat, self._recording = path, concat, recording
        self._stack = ExitStack()
        self._file: AudioWriter | None = None

    def __enter__(self) -> "OneFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)
        if kind is None and self._file is None:
            raise AudioError(f"no line to decode: {self._path} is not written")

    def has(self, id: str) -> bool:  # noqa: A002
        """It is always written anew."""
        return False

    def write(self, blocks: "Iterable[Waveform]", id: str, growing: bool = False) -> bool:  # noqa: A002
        """growing: each block is written before the next is made.

        Raises what getting the blocks does, and AudioError for a second sound where one was to be written.
        """
        blocks = self._recording.resampled(blocks, growing)
        first, second = next(blocks), None if growing else next(blocks, None)
        if self._file and not self._concat:
            raise AudioError("a second sequence for one file; use --concat, or -o FOLDER/ for a file an id")
        if self._file is None:
            target: Path | BinaryIO = sys.stdout.buffer if self._path == "-" else Path(self._path)
            # A sound of one block is announced with its length, which some players need.
            known = second is None and not growing and not self._concat
            frames = len(first.samples) if known else None
            self._file = self._stack.enter_context(self._recording.writer(target, first.rate, frames))
        for block in chain([first], [second] if second else [], blocks):
            self._file.write(block.samples)
        return True
