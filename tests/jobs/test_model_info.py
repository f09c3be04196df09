"""What a model consists of."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from open_models import VOCODER
from safetensors.torch import save_file

from spiritlm_cli import console
from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.jobs.model_info import describe
from spiritlm_cli.jobs.options.models import ModelInfoOptions


def test_nano() -> None:
    info = describe(ModelInfoOptions(model="nano"))
    assert (info.license, info.tokenizer) == ("Apache-2.0", find_checkpoint("nano").fingerprint())
    parts = {part.name: part for part in info.parts}
    assert list(parts) == [
        "HuBERT",
        "quantizer",
        "pitch VQ-VAE",
        "style encoder",
        "vocoder, expressive",
        "language model, expressive",
    ]
    assert (parts["HuBERT"].rate, parts["HuBERT"].dtype) == (25.0, "float16")
    assert (parts["quantizer"].units, parts["pitch VQ-VAE"].units) == (500, 64)
    assert parts["pitch VQ-VAE"].rate == 12.5
    assert (parts["style encoder"].units, parts["style encoder"].rate) == (100, 1.0)
    vocoder = parts["vocoder, expressive"]
    assert (vocoder.sample_rate, len(vocoder.speakers or ())) == (16000, 4)
    model = parts["language model, expressive"]
    assert (model.network, model.context, model.dtype) == ("llama", 2048, "bfloat16")
    assert model.parameters == 8_229_120
    assert model.details.startswith("llama, 501 + 64 + 100 units, text, context 2,048")
    written = json.loads(json.dumps(info.to_json()))["parts"]
    assert written[1]["units"] == 500
    assert written[-1]["unit_counts"] == {"phonetic": 501, "pitch": 64, "style": 100}


def test_release(release_tree: Path) -> None:
    info = describe(ModelInfoOptions(model=str(release_tree)))
    parts = {part.name: part for part in info.parts}
    assert len(parts["vocoder, base"].styles or ()) > 1
    assert "language model, base" in parts
    assert (parts["language model, base"].units, parts["language model, base"].text) == (501, True)
    assert parts["language model, base"].details.startswith("llama, 501 units, text")
    assert info.license is None
    assert info.folder == str(release_tree)


def test_a_folder_elsewhere_has_no_license(twist_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(twist_folder.parent)
    info = describe(ModelInfoOptions(model="twist"))
    assert (info.folder, info.license, info.page) == ("twist", None, None)


def test_language_model_of_slamkit(tmp_path: Path) -> None:
    config = {
        "model_type": "speech_language_model",
        "vocab_size": 502,
        "base_config": {"model_type": "qwen2", "max_position_embeddings": 128, "vocab_size": 1000},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    save_file({"lm.a": torch.zeros(3, 4, dtype=torch.bfloat16)}, tmp_path / "model.safetensors")
    (part,) = describe(ModelInfoOptions(model=str(tmp_path))).parts
    assert part.details == "qwen2, 500 units, no text, context 128, 502 tokens"
    assert (part.parameters, part.dtype) == (12, "bfloat16")
    (tmp_path / "config.json").write_text(json.dumps(config | {"vocab_size": 1302}))
    (part,) = describe(ModelInfoOptions(model=str(tmp_path))).parts
    assert part.details == ("qwen2, 500 units, text, context 128, 1,302 tokens, needs --text-tokenizer")


def test_language_model_without_a_vocabulary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    console.set_up()
    (tmp_path / "config.json").write_text('{"model_type": "opt"}')
    save_file({"a": torch.zeros(1)}, tmp_path / "model.safetensors")
    (part,) = describe(ModelInfoOptions(model=str(tmp_path))).parts
    assert (part.network, part.units, part.text) == ("opt", None, None)
    assert "tokenizer.model: missing (or tokenizer.json)" in capsys.readouterr().err


def test_what_is_missing_of_a_part(
    twist_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    console.set_up()
    shutil.copytree(twist_folder, tmp_path / "twist")
    hubert, generator = tmp_path / "twist/mhubert-base-25hz", tmp_path / "twist" / VOCODER
    generator.unlink()
    (hubert / "config.json").write_bytes(b"\x80\x02cos\nsystem\n.")
    with pytest.raises(CheckpointError, match=r"mhubert-base-25hz/config.json: "):
        describe(ModelInfoOptions(model=str(tmp_path / "twist")))
    shutil.rmtree(hubert)
    hubert.touch()
    capsys.readouterr()
    (part,) = describe(ModelInfoOptions(model=str(tmp_path / "twist"))).parts
    assert part.name == "quantizer"
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith(f"spiritlm: {hubert}/model.safetensors: missing")
    assert lines[1].startswith(f"spiritlm: {generator}: missing")
