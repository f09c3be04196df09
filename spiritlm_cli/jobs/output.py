"""Lines out: to stdout, or to a file that can be gone on with."""

import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from spiritlm_cli.console import is_verbose
from spiritlm_cli.errors import ResumeError
from spiritlm_cli.jobs.lines import copy_ids

if TYPE_CHECKING:
    from spiritlm_cli.checkpoints import Checkpoint
    from spiritlm_cli.jobs.lines import InputLine
    from spiritlm_cli.manifests.clip import BadClip, Clip
    from spiritlm_cli.tokens.sequence import Line

C = TypeVar("C", bound="Clip | BadClip | InputLine")


class LineWriter:
    """Lines to stdout ("-" too), or to a file that gets its name when it is complete (until then `NAME.part`).

    What is no ordinary file, such as /dev/null or a named pipe, is written to as it is.
    ids: True gives an id to each line (its number where it has none), False drops ids, None leaves them.
    finished: what a run that was broken off has written, to go on after.
    """

    def __init__(
        self, path: Path | None = None, ids: bool | None = None, finished: "Finished | None" = None
    ) -> None:
        self._path = None if path is None or str(path) == "-" else path
        self._ids = ids
        self._finished = finished
        # of those without an id, the number goes on
        self._lines = finished.clips * finished.copies if finished else 0
        self._stream: BinaryIO = sys.stdout.buffer

    def __enter__(self) -> "LineWriter":
        if self._path is not None:
            self._part = self._path
            if not self._path.exists() or self._path.is_file():
                self._path = self._path.resolve()  # a link stays a link
                self._part = part_of(self._path)
            if self._finished and self._finished.size:
                if self._finished.path != self._part:
                    self._finished.path.replace(self._part)
                os.truncate(self._part, self._finished.size)
                self._stream = self._part.open("ab")
            else:
                self._stream = self._part.open("wb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._path is None:
            return
        self._stream.close()
        if self._part == self._path:
            return
        if kind is None:
            self._part.replace(self._path)
        elif not self._part.stat().st_size:
            self._part.unlink()

    def write(self, line: "Line") -> None:
        """Raises TokenError for what the format can't hold."""
        from spiritlm_cli.tokens.writer import format_line

        self.write_text(format_line(replace(line, id=self._chosen(line.id))))

    def write_value(self, id: str | None, value: str) -> None:  # noqa: A002
        """A line that holds something else than tokens."""
        chosen = self._chosen(id)
        self.write_text(value if chosen is None else f"{chosen}\t{value}")

    def write_text(self, text: str) -> None:
        """One line of anything, sent on at once."""
        self._stream.write(text.encode() + b"\n")
        self._stream.flush()

    def write_part(self, text: str) -> None:
        """The beginning of a line, or more of it; `write_text` ends it."""
        self._stream.write(text.encode())
        self._stream.flush()

    def begin(self, id: str | None) -> None:  # noqa: A002
        """Begin a line that `write_part` goes on with."""
        if (chosen := self._chosen(id)) is not None:
            self.write_part(f"{chosen}\t")

    def write_header(self, checkpoint: "Checkpoint") -> None:
        """The line that says whose tokens follow."""
        self.write_text(heading_of(checkpoint))

    def _chosen(self, id: str | None) -> str | None:  # noqa: A002
        self._lines += 1
        if self._ids is None:
            return id
        if not self._ids:
            return None
        return id if id is not None else str(self._lines)


@contextmanager
def data_only() -> Iterator[None]:
    """What libraries print meanwhile is not among the lines on stdout, but with -v on stderr, and else nowhere."""
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(sys.stderr if is_verbose() else nowhere):
        yield


def heading_of(checkpoint: "Checkpoint") -> str:
    """The header of a checkpoint's tokens."""
    from spiritlm_cli.tokens.sequence import Header
    from spiritlm_cli.tokens.writer import format_header

    return format_header(Header(checkpoint.name, checkpoint.fingerprint()))


@dataclass(frozen=True)
class Finished:
    """What of a file's lines is whole. path: where it lies; size: bytes of the whole lines; heading: the first, if
    it is a header; clips: of how many clips the others are; failed: how many of those have nothing after their id;
    copies: lines that each clip has.
    """

    path: Path
    size: int
    heading: str | None
    clips: int
    failed: int
    copies: int = 1

    @classmethod
    def nothing(cls) -> "Finished":
        """Of a run that begins anew."""
        return cls(Path(), 0, None, 0, 0)

    @classmethod
    def of(cls, output: Path, copies: int = 1) -> "Finished":
        """What a run that was to write `output` has finished; a last line that was cut off does not count, nor does a
        clip of which not all copies are there.
        """
        output = output.resolve()
        path = part_of(output) if part_of(output).exists() else output
        whole = size = lines = failed = 0
        heading = None
        if path.exists():
            with path.open("rb") as file:
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    size += len(line)
                    if not lines and line.startswith(b"#spiritlm "):
                        heading = line.decode(errors="replace").rstrip("\n")
                        whole = size
                        continue
                    lines += 1
                    if lines % copies == 0:
                        whole = size
                        failed += _is_empty(line)
        return cls(path, whole, heading, lines // copies, failed, copies)

    def after(self, clips: Iterable[C], heading: str | None = None) -> Iterator[C]:
        """The clips that have no line yet. heading: what the file should begin with.

        Raises ResumeError where it doesn't, or where a line's id is not that of the clip in its place: then it was
        another run.
        """
        if self.size and self.heading != heading:
            raise ResumeError(
                f"{self.path}: begins with {self.heading or 'no header'}, not with {heading or 'a token line'}; "
                "go on with the same model and --header, or write to another file"
            )
        # opened now, for it may soon have another name
        return self._after(iter(clips), self.path.open("rb") if self.clips else None)

    def _after(self, clips: Iterator[C], file: BinaryIO | None) -> Iterator[C]:
        if file:
            with file:
                first = int(bool(self.heading))
                for number in range(1, self.clips * self.copies + 1, self.copies):
                    line = next(islice(file, first, None))
                    first = self.copies - 1  # the others of a clip are passed over
                    clip, found = next(clips, None), _id_of(line)
                    if clip is None or not (found is None or self._is_of(found, clip)):
                        wanted = f"the input there is {clip.id} now" if clip else "there are no more inputs"
                        raise ResumeError(
                            f"{self.path}: line {number} is of {found or 'no id'}, but {wanted}; "
                            "go on with the same inputs, or write to another file"
                        )
        yield from clips

    def _is_of(self, found: str, clip: "Clip | BadClip | InputLine") -> bool:
        """Whether a line that begins with that and a tab can be the first of an input's."""
        if clip.id is None and self.copies == 1:
            return True  # a number that was given to it, or no id at all
        name = str(clip.id or getattr(clip, "name", ""))
        return found == copy_ids(name, self.copies)[0]


def part_of(path: Path) -> Path:
    """Where lines are written until they are all there."""
    return path.with_name(path.name + ".part")


def _is_empty(line: bytes) -> bool:
    """Whether a line of tokens, or an object of streams or of words, says nothing of its clip."""
    if line.startswith(b"{"):
        return not {"hubert", "words"} & set(json.loads(line))
    return not line.rpartition(b"\t")[2].strip()


def _id_of(line: bytes) -> str | None:
    if line.startswith(b"{"):
        return str(json.loads(line)["id"])
    found, tab, _ = line.partition(b"\t")
    return found.decode() if tab else None
