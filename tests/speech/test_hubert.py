"""HuBERT: its files, cut layers, and the parser of its convolutions."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from spiritlm_cli.checkpoints.tensors import write_tensors
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.speech.hubert import Hubert, release_content


@pytest.fixture(scope="module")
def path(release_tree: Path) -> Path:
    return release_tree / "speech_tokenizer/hubert_25hz/mhubert_base_25hz.pt"


def test_hubert_saves_what_it_loads(path: Path, tmp_path: Path) -> None:
    hubert = Hubert.load(path, 2)
    copy = tmp_path / "hubert.safetensors"
    write_tensors(copy, *release_content(hubert))
    again = Hubert.load(copy)
    assert again.config == hubert.config
    assert not {"padding", "projection"} & {
        key for part in release_content(again)[1].values() for key in part
    }
    clips = [torch.randn(4000), torch.randn(hubert.receptive_field)]
    for features, expected in zip(again(clips), hubert(clips), strict=True):
        torch.testing.assert_close(features, expected)


@pytest.mark.parametrize("width", [32, 24])
def test_hubert_saves_a_hugging_face_folder_as_one_file(
    twist_folder: Path, tmp_path: Path, width: int
) -> None:
    """With the padding, and with the projection where the release's file has none: between equal widths."""
    folder = twist_folder / "mhubert-base-25hz"
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"conv_dim": [width] * 8}))
    tensors = load_file(folder / "model.safetensors")
    for name, tensor in tensors.items():
        if name.startswith(("feature_extractor", "feature_projection.layer_norm")):
            tensors[name] = tensor[(slice(width),) * min(tensor.ndim, 2)].contiguous()
    tensors["feature_projection.projection.weight"] = tensors["feature_projection.projection.weight"][
        :, :width
    ]
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, tmp_path / "model.safetensors")
    hubert = Hubert.load(tmp_path / "model.safetensors", 2)
    content = release_content(hubert)
    assert content[1]["task_cfg"]["padding"] == 40
    assert ("projection" in content[1]["model_cfg"]) == (width == 32)
    copy = tmp_path / "copy" / "mhubert_base_25hz.safetensors"
    write_tensors(copy, *content)
    again = Hubert.load(copy)
    clips = [torch.randn(4000), torch.randn(2 * 640 - 1), torch.randn(2 * 640)]
    for features, expected in zip(again(clips), hubert(clips), strict=True):
        torch.testing.assert_close(features, expected)
    assert [len(features) for features in again(clips)] == [6, 1, 2]


def test_hubert_load_keeps_the_layers_up_to_the_one_given(path: Path) -> None:
    layers = Hubert.load(path).config.encoder_layers
    assert len(Hubert.load(path, 1).encoder.layers) == 1
    for layer in (0, layers + 1):
        with pytest.raises(CheckpointError, match=f"layer {layer} wanted, there are {layers}"):
            Hubert.load(path, layer)


def test_hubert_normalizes_if_its_task_says_so(path: Path) -> None:
    hubert = Hubert.load(path, 1)
    clip = torch.randn(4000) * 3 + 1
    hubert.task = type(hubert.task)(normalize=True)
    normalized = (clip - clip.mean()) / clip.std(correction=0)
    features = hubert([clip])[0]
    hubert.task = type(hubert.task)(normalize=False)
    torch.testing.assert_close(features, hubert([normalized])[0], atol=1e-4, rtol=1e-4)
