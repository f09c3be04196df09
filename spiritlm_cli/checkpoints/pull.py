"""Downloads of known models into folders below $SPIRITLM_HOME."""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spiritlm_cli.checkpoints import hub
from spiritlm_cli.checkpoints.checkpoint import file_hash
from spiritlm_cli.checkpoints.download import RefusedError, check_file, check_room, download
from spiritlm_cli.checkpoints.registry import KnownModel, RemoteFile, has_content, is_path, model_folder
from spiritlm_cli.config import from_mapping, read_json
from spiritlm_cli.console import ProgressBar, log, notify
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.files import lock_file, write_text

# The file in a model's folder that says what was downloaded.
PULL_RECORD = "pulled.json"
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")


@dataclass(frozen=True)
class PullRecord:
    """What was downloaded. model: its name. commit: of its repository, None if it has none. files: by path."""

    model: str
    commit: str | None
    files: Mapping[str, RemoteFile]


@dataclass(frozen=True)
class PullPlan:
    """What a download of a model takes.

    folder: where it goes. files: by path in the folder. missing: those that are not here yet. commit: of the model's
    repository, None if it has none.
    """

    model: KnownModel
    folder: Path
    files: Mapping[str, RemoteFile]
    missing: tuple[str, ...]
    commit: str | None


def plan_pull(model: KnownModel, revision: str | None = None) -> PullPlan:
    """Find out what a download of a known model takes.

    revision: of its repository: a commit, a tag or a branch.
    Raises CheckpointError if the model can't be downloaded, if its repository can't be listed, and offline if it is not
    here, or not known to be of this revision.
    """
    if revision and not model.repository:
        raise CheckpointError(f"{model.name}: is in no repository, so it has no revisions")
    if not model.can_pull:
        raise CheckpointError(f"{model.name}: {model.how_to_get}")
    folder = model_folder(model.name)
    if folder.is_symlink():  # what it leads to is replaced, not the link
        if not folder.exists():
            raise CheckpointError(
                f"{folder}: is a link to {folder.readlink()}, which is not there; make that folder, or remove the "
                "link"
            )
        folder = folder.resolve()
    if hub.is_offline():
        return _plan_offline(model, folder, revision)
    files, commit = dict(model.files), None
    if model.repository:
        listing = _list_files(model, model.repository, revision)
        prefix = f"{model.folder}/" if model.folder else ""
        files |= {prefix + name: file for name, file in listing.files.items()}
        commit = listing.commit
    if model.text_tokenizer:
        tokenizer = _list_files(model, model.text_tokenizer).files
        files |= {
            name: file for name, file in tokenizer.items() if name in _TOKENIZER_FILES and name not in files
        }
    before = _recorded(folder)
    missing = tuple(
        name for name, file in files.items() if not _is_here(folder / name, file, before.get(name))
    )
    return PullPlan(model, folder, files, missing, commit)


def pull_model(plan: PullPlan, downloaded: Callable[[str, int], object] = lambda name, size: None) -> Path:
    """Download the missing files of a model. Returns its folder, which is replaced only when all files are there.

    A download that was broken off is continued. If another process downloads the same model, waits for it.
    downloaded: is told each file that is downloaded, and how many bytes of it arrived.
    Raises CheckpointError if a file can't be downloaded or is not as expected, or if the folder holds another model.
    """
    if not plan.missing:
        return plan.folder
    is_empty = plan.folder.is_dir() and not has_content(plan.folder)
    if plan.folder.exists() and not is_empty and not (plan.folder / PULL_RECORD).is_file():
        raise CheckpointError(
            f"{plan.folder}: is there, but was not downloaded by this command; move it away"
        )
    plan.folder.parent.mkdir(parents=True, exist_ok=True)
    part, old, lock = (plan.folder.with_name(f".{plan.folder.name}.{end}") for end in ("part", "old", "lock"))
    needed = sum(_missing_bytes(part / name, plan.files[name]) for name in plan.missing)
    check_room(plan.folder.parent, needed, plan.model.name)
    with _locked(lock):
        if old.exists() and not plan.folder.exists():
            old.replace(plan.folder)  # an earlier run ended while it replaced the folder
        before = _recorded(plan.folder)
        if all(_is_here(plan.folder / name, file, before.get(name)) for name, file in plan.files.items()):
            return plan.folder  # another process has downloaded it
        for number, (name, file) in enumerate(plan.files.items(), 1):
            size = _fetch(plan, name, file, part / name, f"{number}/{len(plan.files)}", before)
            if size is not None:
                downloaded(name, size)
        _remove_others(part, {part / name for name in plan.files})
        _keep_others(plan.folder, part, {*before, PULL_RECORD})
        files = {name: _record(part / name, file) for name, file in plan.files.items()}
        record = {"model": plan.model.name, "commit": plan.commit, "files": files}
        write_text(part / PULL_RECORD, json.dumps(record, indent=2) + "\n")
        shutil.rmtree(old, ignore_errors=True)
        if plan.folder.exists():
            plan.folder.replace(old)
        part.replace(plan.folder)
        shutil.rmtree(old, ignore_errors=True)
    return plan.folder


def read_record(folder: Path) -> PullRecord | None:
    """What was downloaded to a folder; None if it was not made by a download.

    Raises CheckpointError if the record of the download can't be read.
    """
    path = folder / PULL_RECORD
    if not path.is_file():
        return None
    try:
        return _parse_record(path)
    except CheckpointError as error:
        raise CheckpointError(f"{error}; `spiritlm models pull` of this model writes it again") from error


def _list_files(model: KnownModel, repository: str, revision: str | None = None) -> hub.Listing:
    """List the files of a repository. Raises CheckpointError, whose message names the model, too."""
    try:
        return hub.list_files(repository, revision)
    except CheckpointError as error:
        raise CheckpointError(f"{model.name}: {error}") from error


def _plan_offline(model: KnownModel, folder: Path, revision: str | None) -> PullPlan:
    record = read_record(folder)
    files, commit = (record.files, record.commit) if record else ({}, None)
    missing = [name for name in files if not (folder / name).is_file()]
    if not files or missing:
        what = ", ".join(missing or model.files) or f"the files of {model.repository}"
        raise CheckpointError(
            f"{model.name}: not in {folder}: {what}; unset SPIRITLM_OFFLINE and HF_HUB_OFFLINE to download it"
        )
    if revision and revision != commit:
        raise CheckpointError(
            f"{model.name}: {folder} has commit {commit}, which may not be {revision}; "
            "unset SPIRITLM_OFFLINE and HF_HUB_OFFLINE to find out"
        )
    return PullPlan(model, folder, files, (), commit)


def _recorded(folder: Path) -> Mapping[str, RemoteFile]:
    """The files that were downloaded to a folder; none if the record of the download can't be read."""
    try:
        record = read_record(folder)
    except CheckpointError as error:
        log.info("%s", error)
        return {}
    return record.files if record else {}


def _parse_record(path: Path) -> PullRecord:
    values = read_json(path)
    files, commit = values.get("files"), values.get("commit")
    if not isinstance(files, dict) or not all(isinstance(one, dict) for one in files.values()):
        raise CheckpointError(f"{path}: has no files")
    for name in files:
        if not is_path(name):
            raise CheckpointError(f"{path}: {name!r} can't be the name of a file of the model")
    remote = {name: from_mapping(RemoteFile, one, path) for name, one in files.items()}
    return PullRecord(str(values.get("model")), None if commit is None else str(commit), remote)


def _record(path: Path, file: RemoteFile) -> dict[str, Any]:
    sha256 = file.sha256 or file_hash(path)
    return asdict(file) | {"size": path.stat().st_size, "sha256": sha256}


def _is_here(path: Path, file: RemoteFile, before: RemoteFile | None) -> bool:
    """Whether a file is here as it was downloaded. before: what was recorded of it."""
    if before is None or not path.is_file() or path.stat().st_size != before.size:
        return False
    for expected, recorded in ((file.sha256, before.sha256), (file.git_id, before.git_id)):
        if expected:
            return expected == recorded
    return file.url == before.url


def _fetch(
    plan: PullPlan, name: str, file: RemoteFile, path: Path, position: str, before: Mapping[str, RemoteFile]
) -> int | None:
    """Bring one file to the folder that becomes the model's.

    Returns how many bytes of it were downloaded; None if it was here already.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file():
        with suppress(CheckpointError):
            check_file(path, file)
            return None
        path.unlink()
    here = plan.folder / name
    if _is_here(here, file, before.get(name)) or _is_published(here, file):
        with suppress(OSError):  # a file system without links
            os.link(here, path)
            return None
    repository = hub.repository_of(file)
    with ProgressBar(f"{path.name} (MB)", None if file.size is None else file.size // 10**6) as bar:
        if not bar.visible:
            notify(f"{position} {name}")
        last, arrived = None, 0

        def show(count: int) -> None:
            nonlocal last, arrived
            bar.update(advance=count // 10**6 - (last or 0) // 10**6)
            arrived += 0 if last is None else max(0, count - last)
            last = count

        try:
            download(file, path, token=hub.token() if repository else None, progress=show)
        except RefusedError as error:
            reason = hub.gated_message(repository) if repository else str(error)
            raise CheckpointError(f"{plan.model.name}: {reason}") from error
    return arrived


def _is_published(path: Path, file: RemoteFile) -> bool:
    """Whether there is a file with the published checksum; False if none is published."""
    if not path.is_file() or not (file.sha256 or file.git_id):
        return False
    try:
        check_file(path, file)
    except CheckpointError:
        return False
    return True


def _missing_bytes(path: Path, file: RemoteFile) -> int:
    """How many bytes of a file are still to be downloaded; 0 if its size is not known."""
    begun = (one.stat().st_size for one in (path, path.with_name(f"{path.name}.part")) if one.is_file())
    return max(0, (file.size or 0) - sum(begun))


def _remove_others(folder: Path, wanted: set[Path]) -> None:
    """Remove what earlier downloads left that the model does not have any more."""
    for path in folder.rglob("*"):
        if path.is_file() and path not in wanted:
            log.info("removed: %s", path)
            path.unlink()


def _keep_others(folder: Path, part: Path, downloaded: set[str]) -> None:
    """Copy the files that the user has added to a model's folder, such as a text tokenizer, to its new folder."""
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if not path.is_file() and not path.is_symlink():
            continue
        if name.as_posix() not in downloaded and not (part / name).exists():
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, part / name, follow_symlinks=False)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock on a file; if another process has it, wait."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        if not lock_file(descriptor):
            notify(f"{path}: another process downloads this model; waiting for it")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
