"""Downloads of known models from a stand-in of the Hub and of a plain server, both on localhost."""

import hashlib
import multiprocessing
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from http_server import COMMIT, Server, serve_http
from huggingface_hub import constants

from spiritlm_cli.checkpoints import download as downloads
from spiritlm_cli.checkpoints.pull import plan_pull, pull_model, read_record
from spiritlm_cli.checkpoints.registry import KnownModel, RemoteFile, installed_folder
from spiritlm_cli.errors import CheckpointError

VOCODER = b"vocoder" * 1000
WEIGHTS = b"hubert" * 1000
NAMES = ["hubert/config.json", "hubert/model.safetensors", "vocoder.pt", "voices.json"]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(downloads, "RETRY_DELAYS", ())
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("SPIRITLM_HOME", str(tmp_path / "home"))
    with serve_http() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        server.files |= {"/vocoder.pt": VOCODER, "/voices.json": b"[]"}
        server.repositories["a/hubert"] = {
            "config.json": b"{}",
            "model.safetensors": WEIGHTS,
            "modeling.py": b"import os",
        }
        yield server


@pytest.fixture
def model(server: Server) -> KnownModel:
    """A model with parts of both kinds, as twist; one file has no checksum."""
    return KnownModel(
        "m",
        "a model",
        ["tokenizer", "vocoder"],
        "units",
        "https://page",
        repository="a/hubert",
        folder="hubert",
        files={
            "vocoder.pt": RemoteFile(f"{server.url}/vocoder.pt", hashlib.sha256(VOCODER).hexdigest()),
            "voices.json": RemoteFile(f"{server.url}/voices.json"),
        },
    )


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_pull_model(server: Server, model: KnownModel, tmp_path: Path) -> None:
    plan = plan_pull(model)
    assert sorted(plan.missing) == NAMES
    assert plan.commit == COMMIT
    assert installed_folder("m") is None
    folder = pull_model(plan)
    assert folder == installed_folder("m") == tmp_path / "home/models/m"
    assert names(folder) == sorted([*NAMES, "pulled.json"])
    assert (folder / "hubert/model.safetensors").read_bytes() == WEIGHTS
    record = read_record(folder)
    assert (record.model, record.commit) == ("m", COMMIT)
    recorded = record.files
    assert recorded["voices.json"].sha256 == hashlib.sha256(b"[]").hexdigest()
    assert recorded["vocoder.pt"].size == len(VOCODER)


def test_what_is_here_is_not_downloaded_again(server: Server, model: KnownModel) -> None:
    folder = pull_model(plan_pull(model))
    count = len(server.asked("/vocoder.pt"))
    plan = plan_pull(model)
    assert plan.missing == ()
    assert pull_model(plan) == folder
    assert len(server.asked("/vocoder.pt")) == count


def test_a_new_version_replaces_the_old(server: Server, model: KnownModel) -> None:
    pull_model(plan_pull(model))
    (installed_folder("m") / "tokenizer.json").write_text("added by the user")
    server.repositories["a/hubert"] = {"config.json": b"[2]", "pytorch_model.bin": b"new"}
    plan = plan_pull(model)
    assert sorted(plan.missing) == ["hubert/config.json", "hubert/pytorch_model.bin"]
    folder = pull_model(plan)
    assert names(folder) == [
        "hubert/config.json",
        "hubert/pytorch_model.bin",
        "pulled.json",
        "tokenizer.json",
        *NAMES[2:],
    ]
    assert (folder / "tokenizer.json").read_text() == "added by the user"
    assert (folder / "hubert/config.json").read_bytes() == b"[2]"
    assert len(server.asked("/vocoder.pt")) == 1


def test_a_download_that_broke_off_is_continued(server: Server, model: KnownModel) -> None:
    path = f"/a/hubert/resolve/{COMMIT}/model.safetensors"
    server.broken[path] = [100, 0]
    with pytest.raises(CheckpointError, match="run this again to continue"):
        pull_model(plan_pull(model))
    assert installed_folder("m") is None
    sizes: dict[str, int] = {}
    folder = pull_model(plan_pull(model), sizes.__setitem__)
    assert sizes == {"hubert/model.safetensors": len(WEIGHTS) - 100}
    assert (folder / "hubert/model.safetensors").read_bytes() == WEIGHTS
    assert sorted(names(folder.parent)) == sorted(
        [".m.lock", *(f"m/{name}" for name in [*NAMES, "pulled.json"])]
    )


def test_a_wrong_checksum_leaves_nothing_of_the_file(
    server: Server, model: KnownModel, tmp_path: Path
) -> None:
    server.files["/vocoder.pt"] = b"other"
    with pytest.raises(CheckpointError, match=r"its SHA-256 is \w+, expected \w+; nothing is kept"):
        pull_model(plan_pull(model))
    assert installed_folder("m") is None
    assert not list(tmp_path.glob("home/**/vocoder.pt*"))


def test_the_text_tokenizer_of_another_repository(server: Server, model: KnownModel) -> None:
    server.repositories["b/text"] = {
        "tokenizer.json": b"{}",
        "config.json": b"{}",
        "model.safetensors": b"text",
    }
    folder = pull_model(plan_pull(replace(model, text_tokenizer="b/text")))
    assert names(folder) == sorted([*NAMES, "pulled.json", "tokenizer.json"])
    server.gated.add("b/text")
    server.repositories["b/text"]["tokenizer.json"] = b"[]"
    with pytest.raises(CheckpointError, match="b/text: is gated"):
        pull_model(plan_pull(replace(model, text_tokenizer="b/text")))


def test_gated(server: Server, model: KnownModel, monkeypatch: pytest.MonkeyPatch) -> None:
    server.gated.add("a/hubert")
    with pytest.raises(CheckpointError, match=rf"is gated; accept its conditions on {server.url}/a/hubert"):
        pull_model(plan_pull(model))
    monkeypatch.setenv("HF_TOKEN", "other")
    with pytest.raises(CheckpointError, match="your token gives no access"):
        pull_model(plan_pull(model))
    monkeypatch.setenv("HF_TOKEN", "secret")
    pull_model(plan_pull(model))
    # The token is for the Hub alone.
    assert [headers.get("Authorization") for headers in server.asked("/vocoder.pt")] == [None]


@pytest.mark.parametrize("variable", ["SPIRITLM_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline(server: Server, model: KnownModel, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "1")
    with pytest.raises(CheckpointError, match=r"m: not in .*/models/m: vocoder.pt, voices.json; unset"):
        plan_pull(model)
    assert not server.requests
    monkeypatch.delenv(variable)
    folder = pull_model(plan_pull(model))
    count = len(server.requests)
    monkeypatch.setenv(variable, "1")
    assert pull_model(plan_pull(model)) == folder
    (folder / "vocoder.pt").unlink()
    with pytest.raises(CheckpointError, match=r"m: not in .*/models/m: vocoder.pt; unset"):
        plan_pull(model)
    assert len(server.requests) == count


def test_two_processes_download_once(server: Server, model: KnownModel) -> None:
    context = multiprocessing.get_context("fork")
    plan = plan_pull(model)
    processes = [context.Process(target=pull_model, args=(plan,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert len(server.asked("/vocoder.pt")) == 1
    assert names(plan.folder) == sorted([*NAMES, "pulled.json"])


def test_a_folder_of_the_user_is_left_alone(server: Server, model: KnownModel, tmp_path: Path) -> None:
    folder = tmp_path / "home/models/m"
    folder.mkdir(parents=True)
    (folder / "mine").touch()
    with pytest.raises(CheckpointError, match="was not downloaded by this command; move it away"):
        pull_model(plan_pull(model))
    (folder / "mine").unlink()
    assert pull_model(plan_pull(model)) == folder


def test_a_link_that_leads_nowhere(server: Server, model: KnownModel, tmp_path: Path) -> None:
    (tmp_path / "home/models").mkdir(parents=True)
    (tmp_path / "home/models/m").symlink_to(tmp_path / "disk")
    with pytest.raises(
        CheckpointError, match=r"models/m: is a link to .*/disk, which is not there; make that"
    ):
        plan_pull(model)
    (tmp_path / "disk").mkdir()
    assert pull_model(plan_pull(model)) == tmp_path / "disk"


def test_a_file_that_is_deleted_is_downloaded_again(server: Server, model: KnownModel) -> None:
    folder = pull_model(plan_pull(model))
    (folder / "vocoder.pt").unlink()
    sizes: dict[str, int] = {}
    pull_model(plan_pull(model), sizes.__setitem__)
    assert sizes == {"vocoder.pt": len(VOCODER)}


@pytest.mark.parametrize("content", ["", "{}", "[]"])
def test_a_broken_record_is_written_again(
    server: Server, model: KnownModel, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    folder = pull_model(plan_pull(model))
    (folder / "pulled.json").write_text(content)
    with pytest.raises(
        CheckpointError, match=r"pulled.json: .*; `spiritlm models pull` of this model writes it"
    ):
        read_record(folder)
    sizes: dict[str, int] = {}
    pull_model(plan_pull(model), sizes.__setitem__)
    assert sizes == {"voices.json": 2}  # of the others the checksums are published
    assert read_record(folder).model == "m"


def test_a_model_that_is_not_downloaded_says_how_to_get_it(model: KnownModel) -> None:
    other = replace(model, repository=None, files={}, how_to_get="ask its authors")
    with pytest.raises(CheckpointError, match=r"^m: ask its authors$"):
        plan_pull(other)
    for one in (other, replace(model, repository=None)):
        with pytest.raises(CheckpointError, match="no revisions"):
            plan_pull(one, "v1")


def test_a_record_with_paths_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "pulled.json").write_text('{"files": {"../x": {"url": "u"}}}')
    with pytest.raises(CheckpointError, match=r"'../x' can't be the name of a file"):
        read_record(tmp_path)


def test_a_run_that_ended_while_it_replaced_the_folder(server: Server, model: KnownModel) -> None:
    folder = pull_model(plan_pull(model))
    (folder / "tokenizer.json").write_text("added by the user")
    folder.rename(folder.with_name(".m.old"))
    assert pull_model(plan_pull(model)) == folder
    assert (folder / "tokenizer.json").read_text() == "added by the user"
    assert len(server.asked("/vocoder.pt")) == 1


def test_links_that_the_user_has_added_are_kept(server: Server, model: KnownModel, tmp_path: Path) -> None:
    folder = pull_model(plan_pull(model))
    (folder / "tokenizer.json").symlink_to(tmp_path / "elsewhere.json")
    (folder / "other").symlink_to(tmp_path)
    server.repositories["a/hubert"]["config.json"] = b"[2]"
    pull_model(plan_pull(model))
    assert (folder / "tokenizer.json").readlink() == tmp_path / "elsewhere.json"
    assert (folder / "other").readlink() == tmp_path


def test_a_folder_that_is_a_link(server: Server, model: KnownModel, tmp_path: Path) -> None:
    folder = pull_model(plan_pull(model))
    folder.rename(tmp_path / "disk")
    folder.symlink_to(tmp_path / "disk")
    for content in (b"[2]", b"[3]"):
        server.repositories["a/hubert"]["config.json"] = content
        pull_model(plan_pull(model))
        assert folder.is_symlink()
        assert (folder / "hubert/config.json").read_bytes() == content


def test_what_has_begun_needs_no_more_room(
    server: Server, model: KnownModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.broken[f"/a/hubert/resolve/{COMMIT}/model.safetensors"] = [5000, 0]
    with pytest.raises(CheckpointError, match="run this again to continue"):
        pull_model(plan_pull(model))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=999))
    with pytest.raises(
        CheckpointError,
        match=r"m: takes 1.0 kB more, .* has 999 bytes; set SPIRITLM_HOME to a folder with room",
    ):
        pull_model(plan_pull(model))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    pull_model(plan_pull(model))


def test_offline_another_revision(server: Server, model: KnownModel, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = pull_model(plan_pull(model))
    monkeypatch.setenv("SPIRITLM_OFFLINE", "1")
    assert pull_model(plan_pull(model, COMMIT)) == folder
    with pytest.raises(CheckpointError, match=rf"has commit {COMMIT}, which may not be v2; unset"):
        plan_pull(model, "v2")
