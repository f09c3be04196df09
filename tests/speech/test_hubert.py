"""HuBERT: its files, cut layers, and the parser of its convolutions."""

from pathlib import Path

import pytest
import torch

from spiritlm_cli.checkpoints.tensors import write_tensors
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.speech.hubert import Hubert, parse_conv_layers, release_content


@pytest.fixture(scope="module")
def path(release_tree: Path) -> Path:
    return release_tree / "speech_tokenizer/hubert_25hz/mhubert_base_25hz.pt"


def test_hubert_saves_what_it_loads(path: Path, tmp_path: Path) -> None:
    hubert = Hubert.load(path, 2)
    copy = tmp_path / "hubert.safetensors"
    write_tensors(copy, *release_content(hubert))
    again = Hubert.load(copy)
    assert again.config == hubert.config
    clips = [torch.randn(4000), torch.randn(hubert.receptive_field)]
    for features, expected in zip(again(clips), hubert(clips), strict=True):
        torch.testing.assert_close(features, expected)


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


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("[(512, 10, 5)] + [(512, 3, 2)] * 2", ((512, 10, 5), (512, 3, 2), (512, 3, 2))),
        ("((1, 2, 3),)", ((1, 2, 3),)),
    ],
)
def test_parse_conv_layers(text: str, layers: tuple[tuple[int, int, int], ...]) -> None:
    assert parse_conv_layers(text) == layers


@pytest.mark.parametrize(
    "text",
    ["", "[]", "[(1, 2)]", "[(1, 2, 0)]", "[(1, 2, x)]", "[(1, 2, 3)] * 101", "f()", "[(1, 2, True)]", "1"],
)
def test_parse_conv_layers_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="conv_feature_layers"):
        parse_conv_layers(text)
