"""Checkpoints from Hugging Face repositories: with the hub's client offline, and from a stand-in on localhost."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from http_server import COMMIT, Server, git_id, serve_http
from huggingface_hub import constants

from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.checkpoints.hub import list_files, pull, repository_of
from spiritlm_cli.checkpoints.registry import RemoteFile
from spiritlm_cli.errors import CheckpointError


def test_pull_without_network_or_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    offline = (
        "can't be downloaded from Hugging Face: it is not in the cache of the Hub; unset SPIRITLM_OFFLINE"
    )
    with pytest.raises(CheckpointError, match=f"^a/b: {offline}"):
        pull("a/b")
    with pytest.raises(CheckpointError, match=f"^a/b: no such folder, and the repository {offline}"):
        find_checkpoint("a/b")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache with two commits of a repository a/b; the main branch is the second, the tag v1 the first."""
    repository = tmp_path / "models--a--b"
    for commit, ref in (("1" * 40, "v1"), ("2" * 40, "main")):
        (repository / "snapshots" / commit / "speech_tokenizer").mkdir(parents=True)
        (repository / "refs").mkdir(exist_ok=True)
        (repository / "refs" / ref).write_text(commit)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return repository


@pytest.mark.parametrize(
    ("model", "commit"), [("a/b", "2"), ("a/b@main", "2"), ("a/b@v1", "1"), ("a/b@" + "1" * 40, "1")]
)
def test_find_checkpoint_takes_the_revision_that_is_named(cache: Path, model: str, commit: str) -> None:
    checkpoint = find_checkpoint(model)
    assert checkpoint.root == cache / "snapshots" / (commit * 40)
    assert checkpoint.name == "b"


@pytest.mark.parametrize("model", ["a/b@v3", "a/b@" + "3" * 40])
def test_find_checkpoint_names_a_revision_that_is_not_there(cache: Path, model: str) -> None:
    with pytest.raises(
        CheckpointError, match=rf"^{model}: no such folder, and the repository can't be downloaded"
    ):
        find_checkpoint(model)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A stand-in of the Hub with a repository a/b, an empty cache, and no token."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with serve_http() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        server.repositories["a/b"] = {
            "config.json": b"{}",
            "model.safetensors": b"weights",
            "pytorch_model.bin": b"the same weights",
            "modeling.py": b"import os",
            "original/model.safetensors": b"other weights",
            "training_args.bin": b"pickle",
        }
        yield server


def test_list_files(server: Server) -> None:
    listing = list_files("a/b")
    assert (listing.repository, listing.commit) == ("a/b", COMMIT)
    assert set(listing.files) == {"config.json", "model.safetensors"}
    config = listing.files["config.json"]
    assert repository_of(config) == "a/b"
    assert repository_of(RemoteFile("https://elsewhere/a/b/resolve/main/x")) is None
    assert config.url == f"{server.url}/a/b/resolve/{COMMIT}/config.json"
    assert (config.size, config.git_id, config.sha256) == (2, git_id(b"{}"), None)
    weights = listing.files["model.safetensors"]
    assert (weights.size, weights.git_id, len(weights.sha256 or "")) == (7, None, 64)


def test_pickles_are_listed_where_there_is_nothing_else(server: Server) -> None:
    del server.repositories["a/b"]["model.safetensors"]
    assert set(list_files("a/b").files) == {"config.json", "pytorch_model.bin"}


@pytest.mark.parametrize("name", ["speech_tokenizer/../../x.json", "speech_tokenizer//x.json/../y.json"])
def test_names_that_lead_out_of_the_folder_are_refused(server: Server, name: str) -> None:
    server.repositories["a/b"][name] = b"{}"
    for find in (list_files, pull):
        with pytest.raises(CheckpointError, match="can't be the name of a file here"):
            find("a/b")


def test_a_repository_without_a_checkpoint(server: Server) -> None:
    server.repositories["a/b"] = {"README.md": b"text"}
    with pytest.raises(CheckpointError, match="has no file of a checkpoint"):
        list_files("a/b")


@pytest.mark.parametrize(
    ("repository", "revision", "reason"),
    [
        ("a/c", None, "no such repository, or a private one, for which HF_TOKEN"),
        ("a/b", "v9", "no such revision"),
    ],
)
def test_what_the_hub_does_not_have(
    server: Server, repository: str, revision: str | None, reason: str
) -> None:
    name = f"{repository}@{revision}" if revision else repository
    for find in (list_files, pull):
        with pytest.raises(
            CheckpointError, match=rf"^{name}: can't be downloaded from Hugging Face: .*{reason}"
        ):
            find(repository, revision)


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_is_refused_or_missing(
    server: Server, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    server.statuses["/api/models/a/b"] = [status, status]
    page = f"{server.url}/settings/tokens, and set HF_TOKEN to it"
    with pytest.raises(CheckpointError, match=f"it asks for a token; make one on {page}"):
        list_files("a/b")
    monkeypatch.setenv("HF_TOKEN", "other")
    with pytest.raises(CheckpointError, match=f"it refuses your token; make another on {page}"):
        list_files("a/b")


def test_what_may_succeed_later(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.statuses["/api/models/a/b"] = [418]
    with pytest.raises(CheckpointError, match="it answers with status 418; run this again later"):
        list_files("a/b")
    with serve_http() as gone:
        pass
    monkeypatch.setenv("HF_ENDPOINT", gone.url)
    for find in (list_files, pull):
        with pytest.raises(CheckpointError, match="refused; check the network, and run this again"):
            find("a/b")


def test_nothing_is_listed_offline(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPIRITLM_OFFLINE", "1")
    with pytest.raises(CheckpointError, match="a/b: can't be listed offline; unset SPIRITLM_OFFLINE"):
        list_files("a/b")
    assert not server.requests


def test_pull_downloads_only_files_of_a_checkpoint(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = pull("a/b")
    assert folder.name == COMMIT
    assert {path.name for path in folder.iterdir()} == {"config.json", "model.safetensors"}
    count = len(server.requests)
    monkeypatch.setenv("SPIRITLM_OFFLINE", "1")
    assert pull("a/b") == folder
    assert len(server.requests) == count


def test_pull_without_network_takes_the_cache(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = pull("a/b")
    with serve_http() as gone:
        pass
    monkeypatch.setenv("HF_ENDPOINT", gone.url)
    assert pull("a/b") == folder


def test_a_gated_repository(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.gated.add("a/b")
    with pytest.raises(
        CheckpointError, match=rf"a/b: is gated; accept its conditions on {server.url}/a/b, .*HF_TOKEN"
    ):
        pull("a/b")
    monkeypatch.setenv("HF_TOKEN", "other")
    with pytest.raises(CheckpointError, match="your token gives no access"):
        pull("a/b")
    monkeypatch.setenv("HF_TOKEN", "secret")
    assert (pull("a/b") / "model.safetensors").read_bytes() == b"weights"
