"""The models that are known by name."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from http_server import COMMIT, Server
from model_server import CONTENT, KMEANS, serve_models

from spiritlm_cli.checkpoints.checkpoint import NANO
from spiritlm_cli.checkpoints.registry import installed_folder
from spiritlm_cli.errors import CheckpointError, OptionError
from spiritlm_cli.jobs.models import dry_run, list_models, model_path, pull
from spiritlm_cli.jobs.options.models import ModelListOptions, ModelPathOptions, PullOptions


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with serve_models(tmp_path, monkeypatch) as server:
        yield server


def test_pull_twist_makes_a_flat_folder(server: Server, tmp_path: Path) -> None:
    folder = pull(PullOptions(model="twist"))
    assert folder == tmp_path / "home/models/twist" == model_path(ModelPathOptions(name="twist"))
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    hubert = {"mhubert-base-25hz/config.json", "mhubert-base-25hz/model.safetensors"}
    assert files == {*CONTENT, *hubert, "pulled.json"}
    rows = {row.model.name: row for row in list_models(ModelListOptions()).rows}
    assert rows["twist"].folder == folder
    assert rows["slam"].folder is None
    assert rows["nano"].folder == NANO


def test_pull_again_says_that_it_is_here(
    server: Server, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = pull(PullOptions(model="twist"))
    messages = capsys.readouterr().err
    assert "5 files downloaded, 24 bytes" in messages
    assert "twist: license: CC BY-NC; page: https://" in messages
    (folder / KMEANS).unlink()
    pull(PullOptions(model="twist"))
    assert "1 file downloaded, 7 bytes" in capsys.readouterr().err
    pull(PullOptions(model="twist"))
    assert "is here already" in capsys.readouterr().err
    assert len(server.asked(f"/{KMEANS}")) == 2


def test_pull_of_what_is_not_downloaded(server: Server, tmp_path: Path) -> None:
    assert pull(PullOptions(model="nano")) == NANO
    with pytest.raises(CheckpointError, match="nano: is in no repository, so it has no revisions"):
        pull(PullOptions(model="nano", revision="main"))
    with pytest.raises(CheckpointError, match="spirit-lm: ask Meta"):
        pull(PullOptions(model="spirit-lm"))
    (tmp_path / "home/models/spirit-lm").mkdir(parents=True)
    (tmp_path / "home/models/spirit-lm/speech_tokenizer").mkdir()
    assert pull(PullOptions(model="spirit-lm")) == tmp_path / "home/models/spirit-lm"


def test_dry_run_downloads_nothing(server: Server) -> None:
    plan = dry_run(PullOptions(model="twist"))
    assert installed_folder("twist") is None
    assert f"?\t{KMEANS}\t{server.url}/{KMEANS}" in plan.lines()
    assert any(line.startswith("6\tmhubert-base-25hz/model.safetensors\t") for line in plan.lines())
    assert "5 of 5 files would be downloaded to" in plan.summary
    assert plan.summary.endswith("8 bytes and files of unknown size")
    pull(PullOptions(model="twist"))
    assert dry_run(PullOptions(model="twist")).lines() == []


def test_pull_of_a_repository_goes_to_the_cache_of_the_hub(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    options = PullOptions(model="slprl/slam")
    assert dry_run(options).summary == "2 of 2 files would be downloaded to the cache of the Hub: 8 bytes"
    assert pull(options).name == COMMIT
    assert "slprl/slam: downloading what is not in the cache of the Hub yet" in capsys.readouterr().err
    assert dry_run(options).lines() == []


@pytest.mark.parametrize("name", ["slam", "slprl/slam"])
def test_a_signal_says_how_to_continue(programs: Path, tmp_path: Path, name: str) -> None:
    code = f"""
import os, signal, sys
from spiritlm_cli.jobs.models import pull
from spiritlm_cli.jobs.options.models import PullOptions
from spiritlm_cli.signals import end_on_signals
end_on_signals()
sys.addaudithook(lambda event, _: os.kill(os.getpid(), signal.SIGINT) if event == "socket.connect" else None)
pull(PullOptions(model={name!r}))
"""
    environment = {**os.environ, "HF_ENDPOINT": "http://127.0.0.1:9", "SPIRITLM_HOME": str(tmp_path)}
    command = [programs / "python", "-c", code]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 130
    last = result.stderr.splitlines()[-1]
    assert last == f"spiritlm: {name}: run this command again to continue the download"


@pytest.mark.parametrize("name", ["../x", "a/b/c", "", "unknown", "a/..@v1/../x x"])
def test_pull_of_what_is_not_known(server: Server, name: str) -> None:
    with pytest.raises(CheckpointError):
        pull(PullOptions(model=name))


def test_revision_is_given_once(server: Server) -> None:
    with pytest.raises(OptionError, match="names a revision already"):
        pull(PullOptions(model="slprl/slam@main", revision="main"))
    with pytest.raises(CheckpointError, match=r"^slprl/slam@v9: .* no such revision"):
        pull(PullOptions(model="slprl/slam", revision="v9"))


def test_model_path(server: Server, tmp_path: Path) -> None:
    assert model_path(ModelPathOptions(name="nano")) == NANO
    assert model_path(ModelPathOptions(name="spirit-lm")) == tmp_path / "home/models/spirit-lm"
    with pytest.raises(
        CheckpointError, match="slam: not on this machine; download it with `spiritlm models pull slam`"
    ):
        model_path(ModelPathOptions(name="slam"))
    with pytest.raises(CheckpointError, match="not a known model; there are nano, "):
        model_path(ModelPathOptions(name="../nano"))
