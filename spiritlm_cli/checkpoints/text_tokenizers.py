"""Text tokenizers of language models that are published without one."""

from pathlib import Path

from spiritlm_cli.checkpoints import hub
from spiritlm_cli.checkpoints.registry import installed_folder
from spiritlm_cli.errors import CheckpointError


def find_text_tokenizer(name: str) -> Path:
    """Find the folder of a text tokenizer, which has a `tokenizer.json`.

    name: a folder, the name of a model that `models pull` has downloaded, or a Hugging Face repository, of which the
    tokenizer alone is downloaded; after an `@` it may have a revision.
    Raises CheckpointError if there is no such folder or repository.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if installed := installed_folder(name):
        return installed
    if downloaded := hub.find_repository(name, hub.pull_text_tokenizer):
        return downloaded
    raise CheckpointError(
        f"{name}: no such folder; --text-tokenizer takes a folder with a tokenizer.json, the name of a model, "
        "or a Hugging Face repository"
    )
