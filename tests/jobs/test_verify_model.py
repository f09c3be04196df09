"""Checks of the files of models, whole and damaged."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from causal_lm import write_causal_lm
from model_server import KMEANS, VOCODER, serve_models

from spiritlm_cli.checkpoints.checkpoint import NANO
from spiritlm_cli.checkpoints.tensors import read_tensors, write_tensors
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.jobs.models import pull
from spiritlm_cli.jobs.options.models import PullOptions, VerifyOptions
from spiritlm_cli.jobs.verify_model import verify


def faults(model: str | Path) -> dict[str, str | None]:
    return {check.part: check.fault for check in verify(VerifyOptions(model=str(model)))}


def change(path: Path, function: Callable[[dict[str, Any]], object]) -> None:
    """Write a safetensors file anew, with other tensors."""
    file = read_tensors(path)
    function(file.tensors)
    write_tensors(path, file.tensors, file.config)


@pytest.fixture
def nano(tmp_path: Path) -> Path:
    """A copy of nano that a test may spoil."""
    shutil.copytree(NANO, tmp_path / "nano")
    return tmp_path / "nano"


def test_nano_is_whole() -> None:
    results = faults("nano")
    assert list(results) == [
        "tokenizer",
        "pitch VQ-VAE",
        "style encoder",
        "vocoder, expressive",
        "language model, expressive",
    ]
    assert set(results.values()) == {None}


def test_each_damaged_part_is_named(nano: Path) -> None:
    speech = nano / "speech_tokenizer"
    change(
        speech / "hubert_25hz/mhubert_base_25hz.safetensors",
        lambda tensors: next(value for name, value in reversed(tensors.items())).fill_(torch.nan),
    )
    change(speech / "style_encoder_w2v2/model.safetensors", lambda tensors: tensors.pop("classifier.bias"))
    generator = speech / "hifigan_spiritlm_expressive_w2v2/generator.safetensors"
    generator.write_bytes(generator.read_bytes()[:-10])
    model = nano / "spiritlm_model/spirit-lm-expressive-7b/model.safetensors"
    change(model, lambda tensors: tensors["model.norm.weight"].fill_(torch.inf))
    results = faults(nano)
    assert results["pitch VQ-VAE"] is None
    assert "infinite or not a number" in (results["tokenizer"] or "")
    assert "missing tensor classifier.bias" in (results["style encoder"] or "")
    assert str(generator) in (results["vocoder, expressive"] or "")
    assert results["language model, expressive"] == (
        f"{model}: model.norm.weight has values that are infinite or not a number"
    )


def test_shapes_of_the_language_model(nano: Path) -> None:
    folder = nano / "spiritlm_model/spirit-lm-expressive-7b"
    change(
        folder / "model.safetensors",
        lambda tensors: tensors.update({"model.norm.weight": torch.zeros(3, dtype=torch.bfloat16)}),
    )
    (fault,) = faults(folder).values()
    assert "model.norm.weight is (3,), expected" in (fault or "")


def test_checksums_of_what_was_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_models(tmp_path, monkeypatch):
        folder = pull(PullOptions(model="slam"))
        assert folder
        assert faults("slam")["checksums"] is None
        (folder / "model.safetensors").write_bytes(b"HUBERT")
        (folder / "config.json").write_text("[]")
        fault = faults(folder)["checksums"] or ""
        assert "model.safetensors: its SHA-256 is" in fault
        assert "config.json: " in fault
        assert fault.endswith(
            "; delete what is damaged, and run `spiritlm models pull slam` to download it again"
        )
        (folder / "pulled.json").write_text("")
        assert "`spiritlm models pull` of this model writes it again" in (faults("slam")["checksums"] or "")


def test_a_file_without_a_published_checksum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_models(tmp_path, monkeypatch):
        pull(PullOptions(model="twist"))
        check = next(iter(verify(VerifyOptions(model="twist"))))
    assert str(check) == (
        f"checksums: ok; no checksum is published of {KMEANS} (if it does not work, delete it, and run "
        "`spiritlm models pull twist` to download it again)"
    )


def test_checksums_of_the_registry(nano: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_models(tmp_path, monkeypatch):
        (tmp_path / "home/models").mkdir(parents=True)
        nano.rename(tmp_path / "home/models/twist")
        (tmp_path / "home/models/twist" / VOCODER).write_bytes(b"other")
        assert "missing" in (faults("twist")["checksums"] or "")


def test_a_folder_elsewhere_has_no_checksums(twist_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(twist_folder.parent)
    assert faults("twist") == {"tokenizer": None, "vocoder, base": None}


def test_language_models_of_slamkit(open_language_models: Path) -> None:
    notes = {}
    for name in ("sims-llama", "sims-qwen", "slam-qwen"):
        (check,) = verify(VerifyOptions(model=str(open_language_models / name)))
        assert check.fault is None
        notes[name] = check.note
    assert notes["slam-qwen"] is None
    assert (
        notes["sims-llama"]
        == notes["sims-qwen"]
        == ("to use it, name its text tokenizer with --text-tokenizer; it has none in its folder")
    )


def test_language_models_of_transformers(tmp_path: Path) -> None:
    write_causal_lm(tmp_path, "opt")
    assert faults(tmp_path) == {"language model": None}
    change(tmp_path / "model.safetensors", lambda tensors: next(iter(tensors.values())).fill_(torch.nan))
    assert "infinite or not a number" in (faults(tmp_path)["language model"] or "")


def test_values_of_8_bits(tmp_path: Path) -> None:
    write_causal_lm(tmp_path, "opt")
    change(
        tmp_path / "model.safetensors",
        lambda tensors: tensors.update({"unused": torch.zeros(3).to(torch.float8_e4m3fn)}),
    )
    assert faults(tmp_path) == {"language model": None}
    change(
        tmp_path / "model.safetensors",
        lambda tensors: tensors.update({"unused": torch.full([3], torch.nan).to(torch.float8_e4m3fn)}),
    )
    assert "unused has values that are infinite or not a number" in (faults(tmp_path)["language model"] or "")


def test_a_folder_without_weights(tmp_path: Path) -> None:
    (tmp_path / "speech_tokenizer").mkdir()
    with pytest.raises(CheckpointError, match="holds no weights of a model; copy or download it again"):
        faults(tmp_path)


def test_parts_of_which_the_configuration_alone_is_there(nano: Path) -> None:
    speech = nano / "speech_tokenizer"
    (speech / "vqvae_f0_quantizer/model.safetensors").unlink()
    (speech / "hifigan_spiritlm_expressive_w2v2/generator.safetensors").unlink()
    results = faults(nano)
    assert "model.pt: missing" in (results["pitch VQ-VAE"] or "")
    assert "generator.pt: missing" in (results["vocoder, expressive"] or "")
