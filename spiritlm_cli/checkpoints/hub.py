"""Checkpoints from Hugging Face repositories."""

from pathlib import Path

from spiritlm_cli.errors import CheckpointError


def pull(repository: str) -> Path:
    """Download a Hugging Face repository into the hub's cache, with the user's own token, and return its folder.

    Files that are in the cache already are not downloaded again.
    Raises CheckpointError if the repository can't be downloaded.
    """
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(repository))
    except Exception as error:
        # The hub's client raises dozens of types (network, authorization, disk); all mean the same here.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise CheckpointError(
            f"{repository}: no such folder, and not to be had from Hugging Face ({reason})"
        ) from error
