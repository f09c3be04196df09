"""Checkpoints from Hugging Face repositories."""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

from spiritlm_cli.checkpoints.registry import RemoteFile, is_path
from spiritlm_cli.console import log
from spiritlm_cli.errors import CheckpointError

# A repository, and after an `@` a commit, a tag or a branch.
REPOSITORY = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")

# What a checkpoint consists of: folders of the release and of TWIST, and the files of a Hugging Face model at the top.
# Other files, such as code or the state of a training, are not downloaded.
_FOLDERS = ("speech_tokenizer", "spiritlm_model", "mhubert-base-25hz")
_SUFFIXES = (".safetensors", ".pt", ".bin", ".json", ".yaml", ".txt", ".model")
_SAFETENSORS = ("model.safetensors", "model.safetensors.index.json", "model-*.safetensors")
_PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model-*.bin")
_CONFIGURATION = (
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer.model", "tokenizer_config.json",
    "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt",
    "mhubert_base_25hz_*.bin", "hifigan_lj_*.pt", "hifigan_lj_*.json",
)  # fmt: skip
_PATTERNS = [
    *(f"{folder}/*{suffix}" for folder in _FOLDERS for suffix in _SUFFIXES),
    *_SAFETENSORS,
    *_PICKLES,
    *_CONFIGURATION,
]


@dataclass(frozen=True)
class Listing:
    """The files of a checkpoint in a repository, by path. commit: of the repository, 40 hex digits."""

    repository: str
    commit: str
    files: Mapping[str, RemoteFile]


def is_offline() -> bool:
    """Whether $SPIRITLM_OFFLINE or $HF_HUB_OFFLINE forbids the use of the network."""
    from huggingface_hub import constants

    is_set = any(
        os.environ.get(name, "").lower() in ("1", "true", "yes", "on")
        for name in ("SPIRITLM_OFFLINE", "HF_HUB_OFFLINE")
    )
    return is_set or constants.HF_HUB_OFFLINE


def endpoint() -> str:
    """The address of the Hub: $HF_ENDPOINT, or https://huggingface.co."""
    from huggingface_hub import constants

    return (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")


def token() -> str | None:
    """The user's token: $HF_TOKEN, or the one that `hf auth login` saved. It is for the Hub alone."""
    from huggingface_hub import get_token

    return get_token()


def gated_message(repository: str) -> str:
    """Return what to do about a repository whose files the Hub does not give to this user."""
    page = f"{endpoint()}/{repository}"
    if token():
        return f"{repository}: is gated, and your token gives no access; accept its conditions on {page} as its user"
    return (
        f"{repository}: is gated; accept its conditions on {page}, make a token on {endpoint()}/settings/tokens, "
        "and set HF_TOKEN to it"
    )


def list_files(repository: str, revision: str | None = None) -> Listing:
    """List the files of the checkpoint in a repository; pickles that have safetensors beside them are left out.

    revision: a commit, a tag or a branch; None is the main branch.
    Raises CheckpointError offline, if the repository can't be listed, has no file of a checkpoint, or has names of
    files that would lead out of a folder.
    """
    if is_offline():
        raise CheckpointError(
            f"{repository}: can't be listed offline; unset SPIRITLM_OFFLINE and HF_HUB_OFFLINE"
        )
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    api = HfApi(endpoint=endpoint(), token=token())
    try:
        commit = api.model_info(repository, revision=revision).sha
        tree = [
            one
            for one in api.list_repo_tree(repository, recursive=True, revision=commit)
            if isinstance(one, RepoFile)
        ]
    except Exception as error:
        raise _not_had(repository, revision, error) from error
    entries = {one.path: one for one in tree if _matches(one.path, _PATTERNS)}
    superseded = _superseded(entries)
    files = {}
    for name, one in entries.items():
        if _matches(name, superseded):
            continue
        if not is_path(name):
            raise CheckpointError(
                f"{repository}: has a file {name!r}, which can't be the name of a file here"
            )
        files[name] = RemoteFile(
            f"{endpoint()}/{repository}/resolve/{commit}/{quote(name)}",
            sha256=one.lfs.sha256 if one.lfs else None,
            size=one.lfs.size if one.lfs else one.size,
            git_id=None if one.lfs else one.blob_id,
        )
    if not files or commit is None:
        raise CheckpointError(f"{repository}: has no file of a checkpoint: {endpoint()}/{repository}")
    return Listing(repository, commit, files)


def repository_of(file: RemoteFile) -> str | None:
    """The repository of a file that `list_files` listed; None for a file elsewhere."""
    prefix = f"{endpoint()}/"
    name, found, _ = file.url.removeprefix(prefix).partition("/resolve/")
    return name if found and file.url.startswith(prefix) else None


def is_cached(listing: Listing, name: str) -> bool:
    """Whether a file of a repository is in the hub's cache."""
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(listing.repository, name, revision=listing.commit), str)


def pull(repository: str, revision: str | None = None) -> Path:
    """Download a checkpoint from a Hugging Face repository into the hub's cache, with the user's own token.

    revision: a commit, a tag or a branch; None is the main branch. Files that are in the cache already are not
    downloaded again; offline, they are all that is used. Returns the folder, whose name is the commit. Raises
    CheckpointError if the repository can't be downloaded.
    """
    offline = is_offline()
    # Without a list, a folder is complete that has either form of the weights, so that the pickles are not asked for.
    ignored = list(_PICKLES)
    if not offline:
        try:
            ignored = _superseded(list_files(repository, revision).files)
        except CheckpointError as error:
            if error.__cause__ is None:  # the list is at fault
                raise
            # Otherwise the Hub's client takes what is in its cache, or says what is wrong.
    return _download(repository, revision, _PATTERNS, ignored)


def pull_text_tokenizer(repository: str, revision: str | None = None) -> Path:
    """Download the text tokenizer in a Hugging Face repository, without the model's weights, as `pull` does."""
    return _download(repository, revision, ["tokenizer.json", "tokenizer_config.json"], [])


def _download(repository: str, revision: str | None, patterns: list[str], ignored: list[str]) -> Path:
    """Download what matches `patterns` and not `ignored` into the hub's cache. Returns the folder of the commit."""
    from huggingface_hub import snapshot_download

    try:
        folder = Path(
            snapshot_download(
                repository,
                revision=revision,
                allow_patterns=patterns,
                ignore_patterns=ignored,
                local_files_only=is_offline(),
                endpoint=endpoint(),
                token=token(),
            )
        )
    except Exception as error:
        raise _not_had(repository, revision, error) from error
    log.info("%s: commit %s", repository, folder.name)
    return folder


def _matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether a name matches any pattern, as the Hub's client understands them: `*` is any text, also with `/`."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _superseded(names: Iterable[str]) -> list[str]:
    """The patterns of files that are not needed beside these."""
    return list(_PICKLES) if {*_SAFETENSORS} & {*names} else []


def is_repository(name: str) -> bool:
    """Whether `name` can be the name of a repository: it is not the path of a file or folder in one that is there."""
    return bool(REPOSITORY.fullmatch(name)) and not Path(name).expanduser().parent.is_dir()


def find_repository(name: str, find: Callable[[str, str | None], Path]) -> Path | None:
    """Download what was named where a folder can be named too; None if it is not the name of a repository.

    find: is called with the repository and the revision. Raises CheckpointError as it does.
    """
    match = REPOSITORY.fullmatch(name)
    if not match or not is_repository(name):
        return None
    try:
        return find(match[1], match[2])
    except CheckpointError as error:  # begins with the name
        reason = str(error).partition(": ")[2]
        raise CheckpointError(f"{name}: no such folder, and the repository {reason}") from error


def _not_had(repository: str, revision: str | None, error: Exception) -> CheckpointError:
    """Return the error for what the hub's client raises: dozens of types (network, authorization, disk)."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if isinstance(error, GatedRepoError):
        return CheckpointError(gated_message(repository))
    if isinstance(error, RepositoryNotFoundError):
        reason = "it has no such repository, or a private one, for which HF_TOKEN has to be set"
    elif isinstance(error, RevisionNotFoundError):
        reason = "the repository has no such revision"
    elif isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        reason = f"it answers with status {status}; run this again later"
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            fault = "refuses your token; make another" if token() else "asks for a token; make one"
            reason = f"it {fault} on {endpoint()}/settings/tokens, and set HF_TOKEN to it"
    elif isinstance(error, LocalEntryNotFoundError) and is_offline():
        reason = "it is not in the cache of the Hub; unset SPIRITLM_OFFLINE and HF_HUB_OFFLINE to download it"
    else:
        reason = (str(error).strip().removeprefix("Got: ").splitlines() or [type(error).__name__])[0]
        if not (isinstance(error, OSError) and error.filename):  # of the disk
            reason += "; check the network, and run this again"
    name = f"{repository}@{revision}" if revision else repository
    return CheckpointError(f"{name}: can't be downloaded from Hugging Face: {reason}")
