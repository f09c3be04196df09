"""Hugging Face folders of HuBERT: TWIST's tokenizer, by value."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from open_models import HUBERT, write_hubert
from torch.nn import functional as F

from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.speech.hubert import Hubert
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.third_party import hide_broken_torchaudio
from spiritlm_cli.tokens.timeline import merge_streams

with hide_broken_torchaudio():
    from transformers import HubertModel


@pytest.fixture(scope="module")
def tokenizer(twist_folder: Path) -> SpeechTokenizer:
    return SpeechTokenizer.load(str(twist_folder), expressive=False, device="cpu")


@pytest.fixture(scope="module")
def answers(data: Path) -> dict[str, dict]:
    """clip: first_sample, last_sample, hubert, and without repeats deduplicated and durations."""
    return json.loads((data / "open_models.json").read_text())["units"]


@pytest.fixture(scope="module")
def waveforms(answers: dict[str, dict], clips: dict[str, Waveform]) -> dict[str, Waveform]:
    whole = clips["whole"]
    assert len(whole.samples) >= max(answer["last_sample"] for answer in answers.values())
    return {
        name: Waveform(whole.samples[answer["first_sample"] : answer["last_sample"]], whole.rate)
        for name, answer in answers.items()
    }


def test_twist_units_are_those_of_transformers(
    tokenizer: SpeechTokenizer, answers: dict[str, dict], waveforms: dict[str, Waveform]
) -> None:
    for name, answer in answers.items():
        units = tokenizer.encode(waveforms[name])
        assert units.hubert.tolist() == answer["hubert"]
        assert (units.pitch, units.style) == (None, None)
        merged = [unit.id for unit in merge_streams(units).units]
        assert merged == answer["deduplicated"]


def test_twist_units_do_not_depend_on_the_batch(
    tokenizer: SpeechTokenizer, answers: dict[str, dict], waveforms: dict[str, Waveform]
) -> None:
    names = ["short", "whole", "short", "medium"]
    encoded = tokenizer.encode_batch([waveforms[name] for name in names], batch_seconds=60)
    assert [units.hubert.tolist() for units in encoded] == [answers[name]["hubert"] for name in names]


@pytest.mark.parametrize("seed", [1, 2])
def test_hubert_of_other_seeds_has_the_features_of_transformers(tmp_path: Path, seed: int) -> None:
    write_hubert(tmp_path, seed)
    hubert = Hubert.load(tmp_path / HUBERT / "model.safetensors", 11)
    reference = HubertModel.from_pretrained(tmp_path / HUBERT).eval()
    waveform = torch.randn(16001, generator=torch.Generator().manual_seed(seed)) / 10
    with torch.inference_mode():
        states = reference(F.pad(waveform, (40, 40))[None], output_hidden_states=True).hidden_states
    torch.testing.assert_close(hubert([waveform])[0], states[11][0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("samples", "frames"), [(1280, 2), (145_919, 227), (145_920, 228), (146_559, 228)])
def test_twist_has_a_frame_for_each_40_ms(tokenizer: SpeechTokenizer, samples: int, frames: int) -> None:
    noise = np.random.default_rng(0).standard_normal(samples).astype(np.float32) / 10
    assert len(tokenizer.encode(Waveform(noise, 16000)).hubert) == frames


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("model_type", "wav2vec2", "model_type is 'wav2vec2', expected 'hubert'"),
        ("do_stable_layer_norm", True, "do_stable_layer_norm is True; only False is known"),
        ("feat_extract_norm", "layer", "feat_extract_norm is 'layer'; only 'group' is known"),
        ("conv_stride", [5, 2], "differ in length"),
        ("hidden_size", None, "hidden_size is None"),
        ("num_hidden_layers", 6, "layer 11 wanted, there are 6"),
    ],
)
def test_hugging_face_config_is_checked(
    twist_folder: Path, tmp_path: Path, key: str, value: object, message: str
) -> None:
    folder = tmp_path / HUBERT
    shutil.copytree(twist_folder / HUBERT, folder)
    config = json.loads((folder / "config.json").read_text()) | {key: value}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=message):
        Hubert.load(folder / "model.safetensors", 11)


def test_a_missing_configuration_is_named(twist_folder: Path, tmp_path: Path) -> None:
    for name in ("model.safetensors", "mhubert.safetensors"):
        shutil.copy(twist_folder / HUBERT / "model.safetensors", tmp_path / name)
    with pytest.raises(CheckpointError, match=r"config\.json: missing$"):
        Hubert.load(tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"mhubert\.safetensors: has no model_cfg"):
        Hubert.load(tmp_path / "mhubert.safetensors")


def test_hugging_face_hubert_ends_at_a_layer(twist_folder: Path) -> None:
    path = twist_folder / HUBERT / "model.safetensors"
    waveform = torch.randn(3200, generator=torch.Generator().manual_seed(0)) / 10
    first, whole = Hubert.load(path, 1), Hubert.load(path)
    assert (len(first.encoder.layers), len(whole.encoder.layers)) == (1, 12)
    assert first([waveform])[0].shape == whole([waveform])[0].shape == (5, 32)
