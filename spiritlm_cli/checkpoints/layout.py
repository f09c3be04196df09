"""Checkpoints by their name or folder; what a folder holds determines its layout."""

import os
from dataclasses import replace
from pathlib import Path

from spiritlm_cli.checkpoints import hub
from spiritlm_cli.checkpoints.checkpoint import NANO, Checkpoint
from spiritlm_cli.checkpoints.mixed import MixedCheckpoint
from spiritlm_cli.checkpoints.open_layouts import LanguageModelFolder, TwistCheckpoint, is_hubert
from spiritlm_cli.checkpoints.registry import KnownModel, installed_folder, known_models
from spiritlm_cli.checkpoints.text_tokenizers import find_text_tokenizer
from spiritlm_cli.console import notify, shows_progress
from spiritlm_cli.errors import CheckpointError


def find_checkpoint(model: str | Checkpoint | None = None) -> Checkpoint:
    """Find the checkpoint called `model`.

    model: "nano", a folder in the release's layout or with TWIST's files, the name of a model that `models pull` has
    downloaded, or a Hugging Face repository. A repository is downloaded; after an `@` it may have a revision: a commit,
    a tag or a branch. None: the folder in $SPIRITLM_CHECKPOINTS_DIR if that is set, otherwise nano. A `Checkpoint` is
    returned as it is.
    Raises CheckpointError if there is no such checkpoint.
    """
    if isinstance(model, Checkpoint):
        return model
    model = model or os.environ.get("SPIRITLM_CHECKPOINTS_DIR") or "nano"
    if local := find_folder(model):
        return checkpoint_at(*local)
    if downloaded := hub.find_repository(model, _download):
        return checkpoint_at(downloaded, Path(model.partition("@")[0]).name)
    raise _unknown(model)


def find_folder(model: str) -> tuple[Path, str] | None:
    """Find the folder on this machine of what is called `model`, and the name of its checkpoint; None if there is none.

    Raises CheckpointError for a known model that is not on this machine.
    """
    if model == "nano":
        if not NANO.is_dir():
            raise CheckpointError(
                f"{NANO}: missing; this installation is without its weights: install spiritlm again"
            )
        return NANO, "nano"
    root = Path(model).expanduser()
    if root.is_dir():
        return root, root.resolve().name
    if folder := installed_folder(model):
        return folder, model
    if known := known_models().get(model):
        raise CheckpointError(f"{model}: not on this machine; {known.remedy}")
    return None


def check_name(model: str) -> None:
    """Raise CheckpointError if there is no checkpoint called `model`; a Hugging Face repository is not looked for."""
    if not find_folder(model) and not hub.is_repository(model):
        raise _unknown(model)


def known_model(checkpoint: Checkpoint) -> KnownModel | None:
    """The entry of the registry of a checkpoint; None if it is not in the folder of a known model.

    A folder elsewhere that has the name of a known model can hold anything.
    """
    folder = NANO if checkpoint.name == "nano" else installed_folder(checkpoint.name)
    return known_models().get(checkpoint.name) if checkpoint.root == folder else None


def _unknown(model: str) -> CheckpointError:
    return CheckpointError(
        f"{model}: no such folder, nor the name of a model of `spiritlm models list` or of a Hugging Face repository"
    )


def _download(repository: str, revision: str | None) -> Path:
    if shows_progress() and not hub.is_offline():
        notify(f"{repository}: downloading what is not in the cache of the Hub yet")
    return hub.pull(repository, revision)


def checkpoint_at(root: Path, name: str) -> Checkpoint:
    """Return the checkpoint in a folder, of the layout that it has. Raises CheckpointError if it has none."""
    if (root / "speech_tokenizer").is_dir() or (root / "spiritlm_model").is_dir():
        return Checkpoint(root, name)
    for layout in (TwistCheckpoint, LanguageModelFolder):
        if layout.is_at(root):
            return layout(root, name)
    if is_hubert(root):
        raise CheckpointError(
            f"{root}: is HuBERT alone; the model is the folder around it, with the k-means beside it: {root.parent}"
        )
    if any((root / file).is_file() for file in ("tokenizer.json", "tokenizer.model")):
        raise CheckpointError(
            f"{root / 'config.json'}: missing, so it is no language model; the folder of a text tokenizer is for "
            "--text-tokenizer"
        )
    raise CheckpointError(
        f"{root}: not a checkpoint folder: it has neither speech_tokenizer/ nor spiritlm_model/, nor TWIST's files, "
        "nor the config.json of a language model"
    )


def combine_parts(
    model: str | Checkpoint | None = None,
    *,
    tokenizer: str | None = None,
    lm: str | None = None,
    vocoder: str | None = None,
    text_tokenizer: str | None = None,
) -> Checkpoint:
    """Find the checkpoint called `model`, with the parts of others in place of its own.

    tokenizer, lm, vocoder: the checkpoints of the speech tokenizer, the language model and the vocoder; see
    `find_checkpoint`. None: those of `model`. text_tokenizer: that of a language model without one; see
    `find_text_tokenizer`. Raises CheckpointError if there is no such checkpoint.
    """
    checkpoint = find_checkpoint(model)
    if tokenizer or lm or vocoder:
        parts = [find_checkpoint(part) if part else checkpoint for part in (tokenizer, lm, vocoder)]
        checkpoint = MixedCheckpoint(checkpoint.root, parts[0].name, *parts)
    if text_tokenizer:
        checkpoint = replace(checkpoint, text_tokenizer=find_text_tokenizer(text_tokenizer))
    return checkpoint
