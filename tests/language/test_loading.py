import json
from pathlib import Path
from typing import Any

import pytest
import torch

from spiritlm_cli.checkpoints.tensors import read_tensors, write_tensors
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.language.llama import PackedLlama
from spiritlm_cli.language.loading import load_network, new_network

CPU = torch.device("cpu")
CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "vocab_size": 50,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32,
    "rope_theta": 1e5,
}
IDS = torch.arange(18).view(2, 9)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A network with large weights, so that faults show."""
    torch.manual_seed(0)
    network = new_network(**CONFIG)
    tensors = {name: t if "norm" in name else 20 * t for name, t in network.state_dict().items()}
    write_tensors(tmp_path / "model.safetensors", tensors)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    return tmp_path


def change_config(folder: Path, **change: Any) -> None:
    (folder / "config.json").write_text(json.dumps(CONFIG | change))


@torch.inference_mode()
def test_a_network_reads_back(folder: Path) -> None:
    network = new_network(**CONFIG)
    assert network.model.layers[0].mlp.up_proj.weight.std().item() == pytest.approx(0.02, rel=0.2)
    network.load_state_dict(read_tensors(folder / "model.safetensors").tensors)
    read = load_network(folder, CPU, torch.float32)
    assert torch.equal(read(input_ids=IDS).logits, network.eval()(input_ids=IDS).logits)
    assert not read.training


@torch.inference_mode()
def test_positions_stay_exact_in_half_precision(folder: Path) -> None:
    half = load_network(folder, CPU, torch.bfloat16)
    assert half.lm_head.weight.dtype == torch.bfloat16
    frequencies = load_network(folder, CPU, torch.float32).model.rotary_emb.inv_freq
    assert half.model.rotary_emb.inv_freq.dtype == torch.float32
    assert torch.equal(half.model.rotary_emb.inv_freq, frequencies)


@torch.inference_mode()
@pytest.mark.parametrize("stored", [True, False])
def test_a_tied_head_is_the_embedding(folder: Path, stored: bool) -> None:
    tensors = read_tensors(folder / "model.safetensors").tensors
    if not stored:
        del tensors["lm_head.weight"]
        write_tensors(folder / "model.safetensors", tensors)
    change_config(folder, tie_word_embeddings=True)
    network = load_network(folder, CPU, torch.float32)
    assert network.lm_head.weight is network.model.embed_tokens.weight
    assert torch.equal(network.lm_head.weight, tensors["model.embed_tokens.weight"])


@torch.inference_mode()
def test_both_ages_of_configuration(folder: Path) -> None:
    expected = load_network(folder, CPU, torch.float32)(input_ids=IDS).logits
    old = {"rope_scaling": None, "pad_token_id": -1, "torch_dtype": "float16", "pretraining_tp": 1}
    change_config(folder, **old)
    assert torch.equal(load_network(folder, CPU, torch.float32)(input_ids=IDS).logits, expected)
    new = {key: value for key, value in CONFIG.items() if key != "rope_theta"}
    new |= {"rope_parameters": {"rope_theta": 1e5, "rope_type": "default"}, "head_dim": 4, "dtype": "float16"}
    (folder / "config.json").write_text(json.dumps(new))
    assert torch.equal(load_network(folder, CPU, torch.float32)(input_ids=IDS).logits, expected)


def test_old_pad_token_is_passed_over_in_silence(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    change_config(folder, pad_token_id=-1)
    assert load_network(folder, CPU, torch.float32).model.embed_tokens.padding_idx is None
    assert capfd.readouterr() == ("", "")


def test_stored_frequencies_are_passed_over(folder: Path) -> None:
    tensors = read_tensors(folder / "model.safetensors").tensors
    tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.zeros(2)
    write_tensors(folder / "model.safetensors", tensors)
    load_network(folder, CPU, torch.float32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "mistral"}, "model_type is 'mistral', expected 'llama'"),
        ({"hidden_act": "nonsense"}, "nonsense"),
        ({"hidden_size": "16"}, "str"),
        ({"hidden_size": -4}, "negative"),
        ({"num_attention_heads": 3}, "3.*heads|heads.*3"),
        ({"num_attention_heads": 0}, "zero"),
        ({"num_key_value_heads": 3}, "3 key-value heads don't divide 4"),
        ({"rope_parameters": {"rope_type": "nonsense"}}, "nonsense"),
    ],
)
def test_a_configuration_that_makes_no_network(folder: Path, change: dict[str, Any], message: str) -> None:
    change_config(folder, **change)
    with pytest.raises(CheckpointError, match=rf"config\.json: .*({message})"):
        load_network(folder, CPU, torch.float32)


def test_a_missing_size_is_not_guessed(folder: Path) -> None:
    config = {key: value for key, value in CONFIG.items() if key != "num_attention_heads"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"config\.json: missing key 'num_attention_heads'"):
        load_network(folder, CPU, torch.float32)
    with pytest.raises(ValueError, match="missing key"):
        new_network(**config)


def test_faults_of_weights_are_named(folder: Path) -> None:
    change_config(folder, intermediate_size=25)
    with pytest.raises(
        CheckpointError,
        match=r"safetensors: model\.layers\.0\.mlp\.down_proj\.weight is \(16, 24\), expected",
    ):
        load_network(folder, CPU, torch.float32)
    change_config(folder)
    tensors = read_tensors(folder / "model.safetensors").tensors
    del tensors["model.norm.weight"]
    write_tensors(folder / "model.safetensors", tensors)
    with pytest.raises(CheckpointError, match=r"model\.safetensors: missing tensor model\.norm\.weight"):
        load_network(folder, CPU, torch.float32)


META = torch.device("meta")


@torch.inference_mode()
def test_layers_go_to_several_devices(folder: Path) -> None:
    expected = load_network(folder, CPU, torch.float32)(input_ids=IDS).logits
    assert torch.equal(load_network(folder, [CPU, CPU], torch.float32)(input_ids=IDS).logits, expected)
    network = load_network(folder, [CPU, META], torch.bfloat16)
    devices = {name: parameter.device for name, parameter in network.named_parameters()}
    on_first = {name for name, device in devices.items() if device == CPU}
    assert on_first == {n for n in devices if n.startswith(("model.embed_tokens.", "model.layers.0."))}
    assert network.model.rotary_emb.inv_freq.device == CPU


def test_a_tied_head_is_where_the_last_layer_is(folder: Path) -> None:
    change_config(folder, tie_word_embeddings=True)
    network = load_network(folder, [CPU, META], torch.float32)
    assert network.model.embed_tokens.weight.device == CPU
    assert network.lm_head.weight.device == META
    assert PackedLlama(network).device == CPU


def test_weights_stay_in_no_file(folder: Path) -> None:
    """What is loaded has memory of its own, so that packing a layer gives its memory back."""
    for dtype in (torch.float32, torch.bfloat16):
        for parameter in load_network(folder, CPU, dtype).parameters():
            assert parameter.untyped_storage().nbytes() == parameter.nbytes
