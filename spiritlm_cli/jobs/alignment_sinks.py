"""Where word times go: rows of a manifest, CTM, or a file for each clip."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import typer

from spiritlm_cli.errors import AlignmentError
from spiritlm_cli.jobs.output import Finished, LineWriter

if TYPE_CHECKING:
    from spiritlm_cli.alignment.pool import Aligned
    from spiritlm_cli.manifests.clip import BadClip, Clip

Format = Literal["jsonl", "ctm", "textgrid", "textgrid-short", "whisper", "whisperx"]
SUFFIXES: dict[str, Format] = {".jsonl": "jsonl", ".ctm": "ctm", ".textgrid": "textgrid", ".json": "whisper"}


class AlignmentWriter(Protocol):
    """What takes the word times of each clip, in order."""

    def __enter__(self) -> "AlignmentWriter": ...

    def __exit__(self, *raised: object) -> None: ...

    def has(self, clip: "Clip | BadClip") -> bool:
        """Whether an earlier run has written it."""
        ...

    def write(self, clip: "Clip", aligned: "Aligned") -> None:
        """Raises SpiritLMError for what the format can't hold."""
        ...

    def write_nothing(self, clip: "Clip | BadClip") -> None:
        """In place of a clip that could not be aligned."""
        ...


def chosen_format(format: Format | None, output: str | None) -> Format:  # noqa: A002
    """The format asked for, or that which the output's name says."""
    if format:
        return format
    if output and is_folder(output):
        return "textgrid"
    return SUFFIXES.get(Path(output or "").suffix.lower(), "jsonl")


def is_folder(output: str) -> bool:
    """Whether -o names a folder."""
    return output.endswith("/") or Path(output).is_dir()


def open_writer(
    format: Format,  # noqa: A002
    output: str | None,
    resume: bool,
    finished: Finished | None,
    several: bool,
) -> AlignmentWriter:
    """The writer of a format. Raises a usage error where it can't be written to `output`, or gone on with.

    several: whether there may be more than one clip.
    """
    path = None if output is None else Path(output)
    many = format in ("jsonl", "ctm")
    if many and output and is_folder(output):
        raise typer.BadParameter(f"{format} goes into one file, not into a folder", param_hint="-o")
    if resume and not (format == "jsonl" or (output and is_folder(output))):
        raise typer.BadParameter("goes on with JSONL, or with a folder, -o FOLDER/", param_hint="--resume")
    if format == "jsonl":
        return Rows(path, finished)
    if format == "ctm":
        return CtmFile(path)
    if path and output and is_folder(output):
        return FileEach(path, format, resume)
    if several:
        raise typer.BadParameter(f"{format} is of one clip a file; give -o FOLDER/", param_hint="--format")
    return OneFile(path, format)


class _Lines:
    """Lines in one file, or on stdout."""

    def __init__(self, path: Path | None, finished: Finished | None = None) -> None:
        self._lines = LineWriter(path, finished=finished)

    def __enter__(self) -> Any:
        self._lines.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._lines.__exit__(*raised)  # type: ignore[arg-type]

    def has(self, clip: "Clip | BadClip") -> bool:
        """Whether an earlier run has written it: those are in `Finished`, and are not asked for."""
        return False


class Rows(_Lines):
    """A manifest: an object for each clip, which also has its sound, its text and its words."""

    def __init__(self, path: Path | None, finished: Finished | None) -> None:
        super().__init__(path, finished)
        # what paths in it are relative to: where the manifest lies, or, of one on stdout, where it is read from stdin
        self._folder = Path() if path is None or str(path) == "-" else path.parent

    def write(self, clip: "Clip", aligned: "Aligned") -> None:
        """One row."""
        from spiritlm_cli.alignment.formats.jsonl import format_row

        self._lines.write_text(format_row(clip, aligned.alignment, self._folder))

    def write_nothing(self, clip: "Clip | BadClip") -> None:
        """A row without words."""
        from spiritlm_cli.alignment.formats.jsonl import format_row
        from spiritlm_cli.manifests.clip import Clip

        if isinstance(clip, Clip):
            self._lines.write_text(format_row(clip, None, self._folder))
        else:
            self._lines.write_text(json.dumps({"id": clip.id}, ensure_ascii=False))


class CtmFile(_Lines):
    """A line for each word; a clip that could not be aligned has none."""

    def write(self, clip: "Clip", aligned: "Aligned") -> None:
        """The lines of a clip."""
        from spiritlm_cli.alignment.formats.ctm import format_ctm

        self._lines.write_text(format_ctm(clip.id, aligned.alignment).rstrip("\n"))

    def write_nothing(self, clip: "Clip | BadClip") -> None:
        """Nothing."""


class FileEach:
    """A file for each clip, named by its id; one that could not be aligned has none."""

    def __init__(self, folder: Path, format: Format, resume: bool) -> None:  # noqa: A002
        """resume: leave files alone that are there already."""
        self._folder, self._format, self._resume = folder, format, resume
        self._written: set[str] = set()

    def __enter__(self) -> "FileEach":
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *raised: object) -> None:
        pass

    def has(self, clip: "Clip | BadClip") -> bool:
        """Whether its file is there already; of a second clip of that id it is not."""
        from spiritlm_cli.manifests.clip import BadClip

        path = self._path(clip)
        name = path.name.casefold()
        if not self._resume or isinstance(clip, BadClip) or name in self._written or not path.is_file():
            return False
        self._written.add(name)
        return True

    def write(self, clip: "Clip", aligned: "Aligned") -> None:
        """Raises AlignmentError for an id that was there before, even if only in capitals."""
        path = self._path(clip)
        if path.name.casefold() in self._written:
            raise AlignmentError(f"{path.name} is already written by another clip of that id")
        self._written.add(path.name.casefold())
        _write_file(path, clip, aligned, self._format)

    def write_nothing(self, clip: "Clip | BadClip") -> None:
        """Nothing."""

    def _path(self, clip: "Clip | BadClip") -> Path:
        from spiritlm_cli.manifests.filenames import filename_for

        suffix = ".TextGrid" if self._format.startswith("textgrid") else ".json"
        return self._folder / (filename_for(clip.id) + suffix)


class OneFile:
    """The word times of one clip, in a file or on stdout."""

    def __init__(self, path: Path | None, format: Format) -> None:  # noqa: A002
        self._path, self._format = path, format
        self._written = False

    def __enter__(self) -> "OneFile":
        return self

    def __exit__(self, *raised: object) -> None:
        pass

    def has(self, clip: "Clip | BadClip") -> bool:
        """It is always written anew."""
        return False

    def write(self, clip: "Clip", aligned: "Aligned") -> None:
        """Raises AlignmentError for a second clip."""
        if self._written:
            raise AlignmentError(
                f"a second clip for one {self._format} file; use -o FOLDER/ for a file an id"
            )
        self._written = True
        _write_file(self._path, clip, aligned, self._format)

    def write_nothing(self, clip: "Clip | BadClip") -> None:
        """Nothing."""


def _write_file(path: Path | None, clip: "Clip", aligned: "Aligned", format: Format) -> None:  # noqa: A002
    from spiritlm_cli.alignment.formats.textgrid import format_textgrid
    from spiritlm_cli.alignment.formats.whisper import format_whisper, format_whisperx

    alignment = aligned.alignment
    if format.startswith("textgrid"):
        content = format_textgrid(alignment, aligned.seconds, short=format == "textgrid-short")
    else:
        content = (format_whisper if format == "whisper" else format_whisperx)(clip.text or "", alignment)
    with LineWriter(path) as lines:
        lines.write_text(content.rstrip("\n"))
