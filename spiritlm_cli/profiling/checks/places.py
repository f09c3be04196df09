"""Where models are, whether their files are whole, and the room on the disks; called in an `IsolatedProcess`."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.checkpoints.checkpoint import NANO
from spiritlm_cli.checkpoints.registry import home, known_models
from spiritlm_cli.console import byte_count
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.profiling.checks.finding import Finding, Status, Value, reason
from spiritlm_cli.profiling.checks.packages import reinstall_command
from spiritlm_cli.profiling.checks.weights import damaged_files, weights_size

# Room in bytes below which a download, a large output or a temporary file may not fit.
LITTLE_ROOM = 2e9


def check_models(model: str | None) -> Sequence[Finding]:
    """Check the checkpoints that can be found here. model: the value of --model."""
    findings = [_checkpoint("nano", NANO, command=reinstall_command())]
    if configured := os.environ.get("SPIRITLM_CHECKPOINTS_DIR"):
        name = "$SPIRITLM_CHECKPOINTS_DIR"
        findings.append(
            _checkpoint(name, Path(configured).expanduser(), "set it to a checkpoint folder, or unset it")
        )
    if model and Path(model).expanduser().is_dir():
        findings.append(_checkpoint("--model", Path(model).expanduser()))
    return [*findings, *_downloaded(), *_hub_cache()]


def check_name(model: str) -> Sequence[Finding]:
    """Find the checkpoint of the self-test; gives a finding only if there is none, which is then said once.

    model: the value of --model, or nano.
    """
    try:
        find_checkpoint(model)
    except CheckpointError as error:
        remedy = "leave out --model, and nano is tested; `spiritlm models list` has the models that are here"
        nano = model == "nano"
        return [
            Finding(
                "Self-test",
                "model",
                "broken",
                reason(error),
                "" if nano else remedy,
                reinstall_command() if nano else "",
            )
        ]
    return ()


def check_room() -> Sequence[Finding]:
    """Check the disks that temporary files and downloads are written to."""
    findings = []
    try:
        temporary = Path(tempfile.gettempdir())
    except OSError as error:
        remedy = "make one of these folders writable, or set TMPDIR to a folder that is"
        findings.append(Finding("Models", "temporary files", "broken", reason(error), remedy))
    else:
        findings.append(_room("temporary files", temporary, "set TMPDIR to a folder with more room"))
    remedy = "set SPIRITLM_HOME and HF_HOME to folders on a disk with room"
    for name, folder in (("downloads", home()), ("Hugging Face cache", hub_cache())):
        findings.append(_room(name, folder, remedy))
    return findings


def hub_cache() -> Path:
    """The folder that Hugging Face's own client downloads to."""
    if folder := os.environ.get("HF_HUB_CACHE"):
        return Path(folder).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("HF_HOME") or f"{cache}/huggingface").expanduser() / "hub"


def _checkpoint(
    name: str, folder: Path, remedy: str = "", command: str = "", status: Status = "broken"
) -> Finding:
    """Whether a checkpoint is there and whole. status: that of one which is not; remedy: for one that is not there."""
    if not folder.is_dir():
        text = f"{folder}: missing"
        return Finding("Models", name, status, text, remedy or "restore the folder", command)
    damaged = list(damaged_files(folder))
    total = weights_size(folder)
    values: dict[str, Value] = {"folder": str(folder), "bytes": total, "damaged": len(damaged)}
    if damaged:
        path, fault = damaged[0]
        text = f"{path}: {fault}" + (f"; and {len(damaged) - 1} more" if damaged[1:] else "")
        fetch = "" if command else "copy or download it again"
        return Finding("Models", name, status, text, fetch, command, values)
    return Finding("Models", name, "ok", f"{folder}, {byte_count(total)} of weights", values=values)


def _downloaded() -> Iterator[Finding]:
    """The models that `spiritlm models pull` has put into its folder."""
    folder = home() / "models"
    names = sorted(one.name for one in folder.iterdir() if one.is_dir()) if folder.is_dir() else []
    for name in (name for name in names if not name.startswith(".")):
        known = known_models().get(name)
        command = f"spiritlm models pull {name}" if known and known.can_pull else ""
        yield _checkpoint(name, folder / name, command=command, status="warning")
    if not names:
        yield Finding("Models", "downloaded", "note", f"none in {folder}")


def _hub_cache() -> Iterator[Finding]:
    folder = hub_cache()
    repositories = sorted(folder.glob("models--*")) if folder.is_dir() else []
    names = [path.name.removeprefix("models--").replace("--", "/", 1) for path in repositories]
    shown = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if names[10:] else "")
    text = f"{shown}, in {folder}" if names else f"no models in {folder}"
    yield Finding(
        "Models", "Hugging Face cache", "ok" if names else "note", text, values={"models": len(names)}
    )
    for repository, name in zip(repositories, names, strict=True):
        if any(repository.glob("blobs/*.incomplete")):
            text, remedy = "a download of it was broken off", "a command that uses it continues the download"
            yield Finding("Models", name, "note", text, remedy)


def _room(name: str, folder: Path, remedy: str) -> Finding:
    """Whether a folder, or the nearest above it that exists, can be written to, and has room."""
    there = next((one for one in (folder, *folder.parents) if one.is_dir()), folder)
    try:
        free = shutil.disk_usage(there).free
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        text = f"{folder}: can't be written to ({error.strerror or type(error).__name__})"
        return Finding("Models", f"room for {name}", "warning", text, remedy)
    text = f"{byte_count(free)} free for {folder}"
    values: dict[str, Value] = {"folder": str(folder), "free": free}
    if free < LITTLE_ROOM:
        return Finding("Models", f"room for {name}", "warning", text, remedy, values=values)
    return Finding("Models", f"room for {name}", "ok", text, values=values)
