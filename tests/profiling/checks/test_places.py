import tempfile
from pathlib import Path

import pytest

from spiritlm_cli.checkpoints.checkpoint import NANO
from spiritlm_cli.profiling.checks import places
from spiritlm_cli.profiling.checks.finding import Finding
from spiritlm_cli.profiling.checks.packages import reinstall_command
from spiritlm_cli.profiling.checks.places import check_models, check_room, hub_cache


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of downloads, and that of the Hub's cache beside it."""
    for name in ("SPIRITLM_CHECKPOINTS_DIR", "HF_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SPIRITLM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return tmp_path / "home"


def models(model: str | None = None) -> dict[str, Finding]:
    return {finding.name: finding for finding in check_models(model)}


def test_check_models_finds_none_but_nano(home: Path) -> None:
    found = models("nano")
    assert {name: finding.status for name, finding in found.items()} == {
        "nano": "ok",
        "downloaded": "note",
        "Hugging Face cache": "note",
    }
    assert found["nano"].values["folder"] == str(NANO)


def test_check_models_names_files_that_are_cut_off(
    tree: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hubert = next(tree.glob("speech_tokenizer/hubert_25hz/mhubert*"))
    hubert.write_bytes(hubert.read_bytes()[:1000])
    monkeypatch.setenv("SPIRITLM_CHECKPOINTS_DIR", str(tree))
    (home / "models").mkdir(parents=True)
    for name in ("mine", "twist"):
        (home / "models" / name).symlink_to(tree)
    found = models(str(tree))
    for name, status in (("$SPIRITLM_CHECKPOINTS_DIR", "broken"), ("--model", "broken"), ("mine", "warning")):
        assert found[name].status == status
        assert found[name].text.endswith("mhubert_base_25hz.pt: is cut off after 1,000 bytes")
        assert found[name].remedy == "copy or download it again"
    assert (found["twist"].remedy, found["twist"].command) == ("", "spiritlm models pull twist")


def test_check_models_names_a_missing_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPIRITLM_CHECKPOINTS_DIR", str(tmp_path / "none"))
    monkeypatch.setattr(places, "NANO", tmp_path / "nano")
    found = models()
    assert found["$SPIRITLM_CHECKPOINTS_DIR"].status == "broken"
    assert (found["nano"].status, found["nano"].command) == ("broken", reinstall_command())


def test_check_models_lists_the_hub_s_cache() -> None:
    blobs = hub_cache() / "models--org--a--b" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / "0.incomplete").touch()
    found = models()
    assert found["Hugging Face cache"].text.startswith("org/a--b, in ")
    assert found["org/a--b"].text == "a download of it was broken off"


def test_check_room(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(places, "LITTLE_ROOM", 0)
    assert {finding.status for finding in check_room()} == {"ok"}
    monkeypatch.setattr(places, "LITTLE_ROOM", 1e18)
    assert {finding.status for finding in check_room()} == {"warning"}
    assert not home.exists()


def test_check_room_that_can_t_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPIRITLM_HOME", "/proc/self/spiritlm")
    found = {finding.name: finding for finding in check_room()}
    assert found["room for downloads"].status == "warning"
    assert "can't be written to" in found["room for downloads"].text
    monkeypatch.setattr(tempfile, "tempdir", None)
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.setenv(name, "/proc/self")
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/proc/self"])
    found = {finding.name: finding for finding in check_room()}
    assert found["temporary files"].status == "broken"
