"""Checkpoints from Hugging Face repositories."""

from pathlib import Path

from spiritlm_cli.console import log, notify, shows_progress
from spiritlm_cli.errors import CheckpointError

# What a checkpoint consists of. Other files, such as code, are not downloaded.
_FOLDERS = ("speech_tokenizer", "spiritlm_model")
_SUFFIXES = (".safetensors", ".pt", ".bin", ".json", ".yaml", ".txt", ".model")


def pull(repository: str, revision: str | None = None) -> Path:
    """Download a checkpoint from a Hugging Face repository into the hub's cache, with the user's own token.

    revision: a commit, a tag or a branch; None is the main branch. Files that are in the cache already are not
    downloaded again. Returns the folder, whose name is the commit. Raises CheckpointError if the repository can't be
    downloaded.
    """
    from huggingface_hub import snapshot_download

    if shows_progress():
        notify(f"{repository}: downloading what is not in the cache of the Hub yet")
    patterns = [f"{folder}/*{suffix}" for folder in _FOLDERS for suffix in _SUFFIXES]
    try:
        folder = Path(snapshot_download(repository, revision=revision, allow_patterns=patterns))
    except Exception as error:
        # The hub's client raises dozens of types (network, authorization, disk); all mean the same here.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        name = f"{repository}@{revision}" if revision else repository
        raise CheckpointError(
            f"{name}: no such folder, and not to be had from Hugging Face ({reason})"
        ) from error
    log.info("%s: commit %s", repository, folder.name)
    return folder
