"""What a model consists of."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from spiritlm_cli.checkpoints import find_checkpoint
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
    assert json.loads(json.dumps(info.to_json()))["parts"][1]["units"] == 500


def test_release(release_tree: Path) -> None:
    info = describe(ModelInfoOptions(model=str(release_tree)))
    parts = {part.name: part for part in info.parts}
    assert len(parts["vocoder, base"].styles or ()) > 1
    assert "language model, base" in parts
    assert info.license is None
    assert info.folder == str(release_tree)


def test_language_model_of_slamkit(tmp_path: Path) -> None:
    config = {
        "model_type": "speech_language_model",
        "vocab_size": 502,
        "base_config": {"model_type": "qwen2", "max_position_embeddings": 128, "vocab_size": 1000},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    save_file({"lm.a": torch.zeros(3, 4, dtype=torch.bfloat16)}, tmp_path / "model.safetensors")
    (part,) = describe(ModelInfoOptions(model=str(tmp_path))).parts
    assert part.details == "qwen2, context 128, 502 tokens"
    assert (part.parameters, part.dtype) == (12, "bfloat16")
