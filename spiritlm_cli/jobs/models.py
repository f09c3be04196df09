"""The models that are known by name: which there are, where they are, and their download."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from spiritlm_cli.checkpoints import hub
from spiritlm_cli.checkpoints.checkpoint import NANO
from spiritlm_cli.checkpoints.pull import plan_pull, pull_model
from spiritlm_cli.checkpoints.registry import (
    KnownModel,
    RemoteFile,
    home,
    installed_folder,
    known_models,
    model_folder,
)
from spiritlm_cli.console import byte_count, counted, escape_markup, notify
from spiritlm_cli.errors import CheckpointError, OptionError
from spiritlm_cli.jobs.options.models import ModelListOptions, ModelPathOptions, PullOptions
from spiritlm_cli.signals import on_signal


@dataclass(frozen=True)
class ModelRow:
    """A known model. folder: where it is, None if it is not here. size: in bytes, of what is here or is published."""

    model: KnownModel
    folder: Path | None
    size: int | None


@dataclass(frozen=True)
class ModelTable:
    """The known models."""

    rows: tuple[ModelRow, ...]

    def to_json(self) -> dict[str, Any]:
        """Return an object for `json.dumps`."""
        return {"models": [_row_json(row) for row in self.rows]}

    def table(self) -> Table:
        """Return a `rich` table."""
        table = Table(caption=f"Models are in {escape_markup(str(home() / 'models'))}.")
        for name in ("model", "description", "parts", "units", "license", "size", "here", "page"):
            table.add_column(name, overflow="fold")
        for row in self.rows:
            model = row.model
            table.add_row(
                model.name,
                model.description,
                ", ".join(model.parts),
                model.units,
                model.license or f"{'gated, ' if model.gated else ''}see its page",
                "see its page" if row.size is None else byte_count(row.size),
                "yes" if row.folder else "no",
                model.page,
            )
        return table


@dataclass(frozen=True)
class DryRun:
    """What a download takes. files: all of the model; missing: the names of those that are not here."""

    target: str
    files: Mapping[str, RemoteFile]
    missing: tuple[str, ...]

    def lines(self) -> list[str]:
        """The missing files: bytes (`?` if not known), name and URL, joined by tabs."""
        files = [(name, self.files[name]) for name in self.missing]
        return [f"{'?' if file.size is None else file.size}\t{name}\t{file.url}" for name, file in files]

    @property
    def summary(self) -> str:
        """How much it is."""
        sizes = [self.files[name].size for name in self.missing]
        more = " and files of unknown size" if None in sizes else ""
        size = byte_count(sum(size or 0 for size in sizes))
        return f"{len(sizes)} of {len(self.files)} files would be downloaded to {self.target}: {size}{more}"


def list_models(options: ModelListOptions) -> ModelTable:
    """List the known models, and where they are on this machine."""
    return ModelTable(tuple(map(_row, known_models().values())))


def model_path(options: ModelPathOptions) -> Path:
    """Find the folder of a model; of one that is to be put there by hand, where that is.

    Raises CheckpointError for a name that is not known, and for a model that is not here and can be downloaded.
    """
    if folder := installed_folder(options.name):
        return folder
    model = find_model(options.name)
    if folder := _folder(model):
        return folder
    if model.can_pull:
        raise CheckpointError(f"{model.name}: not on this machine; {model.remedy}")
    return model_folder(model.name)


def pull(options: PullOptions) -> Path:
    """Download a model that is not here yet. Returns its folder.

    Raises CheckpointError if it can't be downloaded, and OptionError for two revisions.
    """
    with on_signal(lambda: f"{options.model}: run this command again to continue the download"):
        if repository := _repository(options):
            return _pull_repository(*repository)
        return _pull_known(find_model(options.model), options.revision)


def dry_run(options: PullOptions) -> DryRun:
    """Find out what `pull` would download. Raises as `pull`."""
    if repository := _repository(options):
        listing = hub.list_files(*repository)
        missing = tuple(name for name in listing.files if not hub.is_cached(listing, name))
        return DryRun("the cache of the Hub", listing.files, missing)
    plan = plan_pull(find_model(options.model), options.revision)
    return DryRun(str(plan.folder), plan.files, plan.missing)


def find_model(name: str) -> KnownModel:
    """The entry of the registry of this name. Raises CheckpointError if there is none."""
    try:
        return known_models()[name]
    except KeyError:
        raise CheckpointError(f"{name}: not a known model; there are {', '.join(known_models())}") from None


def _repository(options: PullOptions) -> tuple[str, str | None] | None:
    """The repository that is to be downloaded, and its revision; None for a known model."""
    if options.model in known_models() or "/" not in options.model:
        return None
    match = hub.REPOSITORY.fullmatch(options.model)
    if not match:
        raise CheckpointError(
            f"{options.model}: not the name of a Hugging Face repository, such as owner/name"
        )
    if match[2] and options.revision:
        raise OptionError(f"{options.model} names a revision already", "--revision")
    return match[1], match[2] or options.revision


def _pull_repository(repository: str, revision: str | None) -> Path:
    if not hub.is_offline():
        notify(f"{repository}: downloading what is not in the cache of the Hub yet")
    folder = hub.pull(repository, revision)
    notify(f"{folder}: {repository} is here")
    return folder


def _pull_known(model: KnownModel, revision: str | None) -> Path:
    if not model.can_pull and not revision and (there := _folder(model)):
        notify(f"{there}: is here already")
        return there
    sizes: list[int] = []
    folder = pull_model(plan_pull(model, revision), lambda name, size: sizes.append(size))
    files = f"{counted(len(sizes), 'file')} downloaded, {byte_count(sum(sizes))}"
    notify(f"{folder}: {files if sizes else 'is here already'}")
    notify(f"{model.name}: license: {model.license or 'see its page'}; page: {model.page}")
    if model.needs:
        notify(f"{model.name} needs {model.needs}")
    return folder


def _folder(model: KnownModel) -> Path | None:
    return NANO if model.name == "nano" else installed_folder(model.name)


def _row(model: KnownModel) -> ModelRow:
    folder, size = _folder(model), model.size
    if folder:
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return ModelRow(model, folder, size)


def _row_json(row: ModelRow) -> dict[str, Any]:
    model = {key: value for key, value in asdict(row.model).items() if key != "files"}
    return model | {"size": row.size, "folder": None if row.folder is None else str(row.folder)}
