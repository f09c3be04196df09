"""The style classifier; its units are tested with the tokenizer."""

from pathlib import Path

import pytest
import torch

from spiritlm_cli.checkpoints.tensors import read_tensors
from spiritlm_cli.checkpoints.weight_norm import fold_weight_norm
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.speech.style import StyleEncoder, release_state_dict


@pytest.fixture
def path(tree: Path) -> Path:
    return tree / "speech_tokenizer/style_encoder_w2v2/pytorch_model.bin"


def test_release_state_dict_has_the_names_of_the_file(path) -> None:
    named = release_state_dict(StyleEncoder.load(path))
    unused = {"_float_tensor", "wav2vec2.masked_spec_embed"}
    file = fold_weight_norm(read_tensors(path)).tensors
    assert named.keys() == file.keys() - unused
    assert all(torch.equal(named[name], file[name]) for name in named)


def test_style_encoder_loads_both_names_of_weight_norm(path, clips) -> None:
    waveform = [torch.tensor(clips["short"].samples)]
    first = StyleEncoder.load(path).logits(waveform)
    state = torch.load(path, weights_only=True)
    layer = "wav2vec2.encoder.pos_conv_embed.conv."
    state[layer + "parametrizations.weight.original0"] = state.pop(layer + "weight_g")
    state[layer + "parametrizations.weight.original1"] = state.pop(layer + "weight_v")
    del state["_float_tensor"]
    torch.save(state, path)
    assert torch.equal(StyleEncoder.load(path).logits(waveform)[0], first[0])


def test_style_is_independent_of_loudness_and_offset(path, clips) -> None:
    model = StyleEncoder.load(path)
    waveform = torch.tensor(clips["medium"].samples)
    louder, same = model.logits([waveform * 3 + 0.1]), model.logits([waveform])
    torch.testing.assert_close(louder[0], same[0], atol=1e-3, rtol=1e-3)


def test_style_config_refuses_other_architectures(path) -> None:
    config = path.with_name("config.json")
    config.write_text(
        config.read_text().replace('"feat_extract_norm": "group"', '"feat_extract_norm": "layer"')
    )
    with pytest.raises(CheckpointError, match=r"config\.json.*feat_extract_norm is 'layer'"):
        StyleEncoder.load(path)
