"""Records of a training run: options and checksums of input files, with which a resume must agree, and all options."""

import hashlib
import json
import shutil
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.files import remove_leftovers, write_text
from spiritlm_cli.options import flag_of, spec_of
from spiritlm_cli.training.options import LoopOptions

# Recorded for an input file that did not exist at the start, because the run writes it.
MISSING = "missing"
# Options that may differ when a run is resumed.
MAY_DIFFER = frozenset(
    {
        "output", "resume", "overwrite", "save_every", "device", "steps", "learning_rate", "compile", "workers",
        "attn_implementation", "checkpointing", "sample_prompts", "sample_vocoder", "tensorboard", "wandb",
    }
)  # fmt: skip
# Options of the language model that may differ too: the state of its data checks their product.
SPLIT_OF_A_STEP = frozenset({"batch", "accumulate"})


def check_run(options: LoopOptions, part: str, weights: Path) -> None:
    """Check that a run may write to its output folder, and remove temporary files of runs that were killed.

    part: name of the trained part, as in `OUTPUT/training/PART.pt`. weights: path of the weights that the run writes.
    Raises OptionError for options that can't be used, and CheckpointError if a new run would replace files without
    `overwrite`, or if a resumed run has other options or input files than at its start.
    """
    options.check()
    path = _path(options, part)
    for folder in {options.output, path.parent, weights.parent}:
        remove_leftovers(folder)
    if options.resume:
        if path.is_file():
            _compare(
                path,
                {k: v for k, v in _arguments(options).items() if part != "lm" or k not in SPLIT_OF_A_STEP},
            )
        return
    for existing in (path.with_suffix(".pt"), weights):
        if existing.exists() and not options.overwrite:
            raise CheckpointError(
                f"{existing}: there is already a {part} in {options.output}; "
                "give --resume to continue, --overwrite to replace it, or another folder"
            )


def record_run(options: LoopOptions, part: str) -> None:
    """Write the records of a new run, and remove the saved state of the run that it replaces.

    `OUTPUT/training/PART.json` has what a resumed run is compared with, `OUTPUT/training/PART.yaml` the options for
    `--config`.
    """
    path = _path(options, part)
    for state in (path.with_suffix(".pt"), *path.parent.glob(f"{part}.[0-9]*.pt")):
        state.unlink(missing_ok=True)
    if part == "lm" and options.overwrite:
        # what the run before has validated would be taken for this one's, if this one is not validated as often
        for folder in (options.output / "best", path.with_name("transcripts")):
            shutil.rmtree(folder, ignore_errors=True)
    write_text(path, json.dumps(_arguments(options), indent=2, sort_keys=True) + "\n")
    write_text(path.with_suffix(".yaml"), options_yaml(options, part))


def options_yaml(options: LoopOptions, part: str) -> str:
    """The options of a run by their long names, for `--config`, without the folder that it writes.

    Paths are absolute. Options without a value are left out.
    """
    values: dict[str, Any] = {}
    for field in fields(options):
        value = getattr(options, field.name)
        if value is not None and field.name not in ("output", "resume", "overwrite"):
            # the names of models and tasks may be those of folders and files
            may_be_path = spec_of(field).metavar in ("MODEL", "TASK")
            items = [
                str(Path(v).absolute()) if isinstance(v, Path) or (may_be_path and Path(v).exists()) else v
                for v in _items(value)
            ]
            values[flag_of(field).removeprefix("--")] = items if isinstance(value, tuple) else items[0]
    return f"# options of `spiritlm train {part}`, for --config\n" + yaml.safe_dump(values, sort_keys=False)


def _items(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _path(options: LoopOptions, part: str) -> Path:
    return options.output / "training" / f"{part}.json"


def _arguments(options: LoopOptions) -> dict[str, Any]:
    """Return the values of the options that may not differ; for a file its SHA-256, so that it may be moved."""
    values: dict[str, Any] = {}
    for field in fields(options):
        if field.name not in MAY_DIFFER:
            value = getattr(options, field.name)
            if isinstance(value, tuple):
                values[field.name] = [_digest(item) if isinstance(item, Path) else item for item in value]
            else:
                values[field.name] = _digest(value) if isinstance(value, Path) else value
    return values


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    if path.is_dir():
        # a folder may have terabytes
        for inside in sorted(path.rglob("*")):
            digest.update(f"{inside.relative_to(path)}\0{inside.stat().st_size}\0".encode())
        return f"sha256:{digest.hexdigest()}"
    if not path.is_file():
        return MISSING
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"


def _compare(path: Path, arguments: dict[str, Any]) -> None:
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        differing = [
            name for name in arguments if before.get(name, MISSING) not in (MISSING, arguments[name])
        ]
    except (ValueError, TypeError) as error:
        raise CheckpointError(
            f"{path}: not a run file ({error}); start a new run with --overwrite"
        ) from error
    for name in differing:
        option = f"--{name.replace('_', '-')}"
        then, now = before[name], arguments[name]
        files = any("sha256:" in str(value) for value in (then, now))
        difference = f"another {option}" if files else f"{option} {then}, not {now}"
        raise CheckpointError(
            f"{path}: started with {difference}; give the same to resume, or start a new run with --overwrite"
        )
