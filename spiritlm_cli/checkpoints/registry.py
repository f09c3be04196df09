"""The models that are known by name, and the folder in which `models pull` puts them."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from spiritlm_cli.config import Bounds, Text, from_mapping, read_yaml
from spiritlm_cli.errors import CheckpointError

REGISTRY = Path(__file__).parent.parent / "assets" / "models.yaml"

# Names of models, of files and of folders: a single component of a path, not hidden.
_NAME = re.compile(r"(?!\.)[\w.-]{1,200}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")

Bytes = Annotated[int, Bounds(0, 1 << 50)]
Parts = Annotated[list[Text], Bounds(1, 3)]


@dataclass(frozen=True)
class RemoteFile:
    """A file with a URL of its own.

    sha256: of its content, in hex digits. size: in bytes. git_id: its SHA-1 as git computes it, by which the Hub knows
    small files. Each is None if not known.
    """

    url: Text
    sha256: Text | None = None
    size: Bytes | None = None
    git_id: Text | None = None

    def __post_init__(self) -> None:
        if self.sha256 is not None and not _SHA256.fullmatch(self.sha256):
            raise ValueError(f"sha256 is {self.sha256!r}, expected 64 hex digits")


@dataclass(frozen=True)
class KnownModel:
    """An entry of the registry, `assets/models.yaml`, which says what each field is.

    `files` is from names to files; it is read apart, as its values are mappings.
    """

    name: Text
    description: Text
    parts: Parts
    units: Text
    page: Text
    license: Text | None = None
    size: Bytes | None = None
    gated: bool = False
    how_to_get: Text | None = None
    needs: Text | None = None
    text_tokenizer: Text | None = None
    repository: Text | None = None
    folder: Text | None = None
    files: Mapping[str, RemoteFile] = field(default_factory=dict)

    @property
    def can_pull(self) -> bool:
        """Whether `models pull` can download it."""
        return bool(self.repository or self.files)

    @property
    def remedy(self) -> str:
        """What to do if it is not on this machine."""
        return (
            f"download it with `spiritlm models pull {self.name}`" if self.can_pull else f"{self.how_to_get}"
        )


def read_registry(path: Path) -> dict[str, KnownModel]:
    """Read a registry. Raises CheckpointError for an unknown key, a value of another type, or a name that is a path."""
    models = {}
    for name, entry in read_yaml(path).items():
        if not isinstance(name, str) or not isinstance(entry, Mapping):
            raise CheckpointError(f"{path}: expected mappings, each under the name of a model")
        models[name] = _read_model(name, entry, path)
    return models


@cache
def known_models() -> Mapping[str, KnownModel]:
    """The models of the package's registry, by name."""
    return read_registry(REGISTRY)


def home() -> Path:
    """The absolute path of the folder of what is downloaded: $SPIRITLM_HOME, or ~/.cache/spiritlm."""
    return Path(os.environ.get("SPIRITLM_HOME") or "~/.cache/spiritlm").expanduser().absolute()


def model_folder(name: str) -> Path:
    """The folder of a model below `home`, whether it is there or not.

    Raises CheckpointError for a name that is not a single component of a path.
    """
    if not is_name(name):
        raise CheckpointError(f"{name}: not the name of a model: letters, digits, `.`, `_` and `-`")
    return home() / "models" / name


def installed_folder(name: str) -> Path | None:
    """The folder of a model that was pulled, or put there by hand; None if there is none of this name, or an empty one.

    A model that is not pulled completely is not there.
    """
    return folder if is_name(name) and has_content(folder := model_folder(name)) else None


def has_content(folder: Path) -> bool:
    """Whether there is a folder with anything in it."""
    return folder.is_dir() and any(True for _ in folder.glob("*"))


def is_name(name: str) -> bool:
    """Whether `name` can be the name of a model, of a file or of a folder: one component of a path, not hidden."""
    return bool(_NAME.fullmatch(name))


def is_path(name: str) -> bool:
    """Whether `name` can be the path of a file in a model's folder: components as `is_name`, joined by `/`."""
    return all(map(is_name, name.split("/")))


def _read_model(name: str, entry: Mapping[str, Any], path: Path) -> KnownModel:
    files = entry.get("files", {})
    if not isinstance(files, Mapping) or not all(isinstance(one, Mapping) for one in files.values()):
        raise CheckpointError(f"{path}: {name}: files: expected mappings, each under the name of a file")
    for part in (name, entry.get("folder") or name, *files):
        if not isinstance(part, str) or not is_name(part):
            raise CheckpointError(f"{path}: {name}: {part!r} can't be the name of a model, file or folder")
    fields = {key: value for key, value in entry.items() if key != "files"} | {"name": name}
    model = from_mapping(KnownModel, fields, path)
    return replace(model, files={file: from_mapping(RemoteFile, one, path) for file, one in files.items()})
