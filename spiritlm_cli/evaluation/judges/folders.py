"""The Hugging Face folders of judges: that they are there, the labels of a classifier, and a hash of their files."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from spiritlm_cli.checkpoints.checkpoint import file_hash
from spiritlm_cli.checkpoints.lazy_tensors import weight_files
from spiritlm_cli.config import read_json
from spiritlm_cli.errors import CheckpointError

_MAX_LABELS = 1 << 16


@dataclass(frozen=True)
class _Kind:
    """A kind of judge. endings: of transformers' names of such models; needed: which option needs what."""

    endings: tuple[str, ...]
    needed: str


_KINDS = {
    "text classifier": _Kind(("ForSequenceClassification",), "--text-classifier needs a sequence classifier"),
    "speech classifier": _Kind(
        ("ForSequenceClassification", "ForAudioClassification"),
        "--speech-classifier needs an audio classifier",
    ),
    "text language model": _Kind(("ForCausalLM", "LMHeadModel"), "--text-lm needs a causal language model"),
    # of several options
    "CTC model": _Kind(("ForCTC",), "a CTC model is needed"),
}
# How names of transformers' models end that have outputs.
_OUTPUT = re.compile(r"For[A-Z]\w*$|LMHeadModel$")
# Files that decide what a judge computes, beside its weights.
_SETTINGS = (
    "config.json",
    "preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
)


def find_folder(folder: str | Path, what: str) -> Path:
    """Return the Hugging Face folder of a judge. what: the kind of model, for the error.

    Raises CheckpointError if it is not there, has no config.json, or one of another kind of model.
    """
    path = Path(folder)
    if not (path / "config.json").is_file():
        state = "has no config.json" if path.is_dir() else "no such folder"
        raise CheckpointError(
            f"{folder}: {state}; give the Hugging Face folder of a {what}, "
            "such as `hf download REPOSITORY --local-dir FOLDER` writes"
        )
    if what in _KINDS:
        _check_kind(path, _KINDS[what])
    return path


def _check_kind(path: Path, kind: _Kind) -> None:
    """Raise CheckpointError if `architectures` of the `config.json` names only models with other outputs."""
    architectures = read_json(path / "config.json").get("architectures")
    names = (
        [name for name in architectures if isinstance(name, str)] if isinstance(architectures, list) else []
    )
    if any(name.endswith(kind.endings) for name in names):
        return
    # A name without a known kind of output may be of any model.
    if others := [name for name in names if _OUTPUT.search(name)]:
        raise CheckpointError(
            f"{path} holds a {ascii(others[0][:80])[1:-1]} (config.json architectures), and {kind.needed}"
        )


def describe(name: str | Path, files: Iterable[Path]) -> str:
    """How a result names a judge: with the first 12 hex digits of the SHA-256 of its files.

    name: as it was given; of a folder only its own name, which does not depend on the machine.
    """
    shown = Path(name).resolve().name if Path(name).is_dir() else name
    return f"{shown} (sha256 {file_hash(*files)[:12]})"


def describe_folder(folder: str | Path, what: str) -> str:
    """How a result names a judge in a Hugging Face folder: see `describe` and `find_folder`. Raises CheckpointError."""
    return describe(folder, judge_files(find_folder(folder, what)))


def judge_files(folder: Path) -> tuple[Path, ...]:
    """The files of a Hugging Face folder that decide what the model computes, in a fixed order."""
    settings = [folder / name for name in _SETTINGS]
    return (*(path for path in settings if path.is_file()), *weight_files(folder)[1])


def read_labels(path: Path) -> tuple[str, ...]:
    """The labels of a classifier, in the order of its outputs, from `id2label` of its `config.json`.

    Without `id2label` they are LABEL_0, LABEL_1, … as in transformers. Raises CheckpointError.
    """
    config = read_json(path)
    labels = config.get("id2label")
    if labels is None:
        count = config.get("num_labels", 2)
        if not isinstance(count, int) or not 1 <= count <= _MAX_LABELS:
            raise CheckpointError(
                f"{path}: num_labels is {count!r}, expected a number from 1 to {_MAX_LABELS}"
            )
        return tuple(f"LABEL_{index}" for index in range(count))
    if not isinstance(labels, dict) or not 1 <= len(labels) <= _MAX_LABELS:
        raise CheckpointError(f"{path}: id2label is not an object of indices and labels")
    try:
        return tuple(str(labels[str(index)]) for index in range(len(labels)))
    except KeyError as error:
        raise CheckpointError(f"{path}: id2label has no label {error}") from None
