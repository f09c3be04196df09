"""Read Fluent Speech Commands: spoken commands, each with the action, the object and the location it asks for."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.manifests.row import NOT_IN_ID, default_id
from spiritlm_cli.manifests.tables import read_table
from spiritlm_cli.text_files import numbered_lines

Split = Literal["train", "valid", "test"]
SLOTS = ("action", "object", "location")
_NONE = "none"  # a slot that a command does not fill


@dataclass(frozen=True)
class Command:
    """A spoken command. label: its slots, separated by spaces, such as "increase volume none"."""

    clip: Clip
    label: str

    @property
    def id(self) -> str:
        """The clip's id."""
        return self.clip.id

    @property
    def source(self) -> Path | str:
        """The clip's file."""
        return self.clip.source


@dataclass(frozen=True)
class BadCommand:
    """An invalid row, and what is wrong with it."""

    id: str
    source: Path
    error: ManifestError


def data_folder(path: Path) -> Path:
    """The folder that holds `data` and `wavs`: `path`, or the folder in it. Raises ManifestError if there is none."""
    folders: list[Path] = sorted(path.iterdir()) if path.is_dir() else []
    for folder in (path, *folders):
        if (folder / "data" / "test_data.csv").is_file():
            return folder
    raise ManifestError(f"{path}: not Fluent Speech Commands; data/test_data.csv is not in it")


def read_commands(folder: Path, split: Split) -> Iterator[Command | BadCommand]:
    """Yield the commands of a split in the order of `data/{split}_data.csv`.

    Its columns: path (of the recording, below the folder), action, object, location, and optionally speakerId and
    transcription; others are not used. Raises ManifestError if the file can't be read or lacks a column.
    """
    path = folder / "data" / f"{split}_data.csv"
    table = read_table(numbered_lines(path), str(path), ",")
    if missing := [name for name in ("path", *SLOTS) if name not in table.columns]:
        raise ManifestError(f"{path}: line {table.header_line}: no column is named {missing[0]}")
    for line_number, cells in table.rows:
        where = f"{path}: line {line_number}"
        try:
            if isinstance(cells, ManifestError):
                raise cells
            yield _command(folder, table.by_column(cells, where), where)
        except ManifestError as error:
            yield BadCommand(f"{split} line {line_number}", path, error)


def drop_none(label: str) -> str:
    """A label without the slots that are not filled."""
    return " ".join(word for word in label.split() if word != _NONE)


def _command(folder: Path, row: dict[str, str], where: str) -> Command:
    path = PurePosixPath(row["path"])
    if not row["path"] or path.is_absolute() or ".." in path.parts or NOT_IN_ID.search(row["path"]):
        raise ManifestError(f"{where}: not a path below the folder: {row['path'][:80]!a}")
    slots = [" ".join(row[slot].split()) for slot in SLOTS]
    if not all(slots):
        raise ManifestError(f"{where}: {SLOTS[slots.index('')]} is empty")
    clip = Clip(
        default_id(path),
        folder / path,
        text=row.get("transcription") or None,
        speaker=row.get("speakerId") or None,
    )
    return Command(clip, " ".join(slots))
