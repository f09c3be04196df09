import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from causal_lm import CONFIGS, change_config, wrap_as_slamkit, write_causal_lm
from safetensors.torch import load_file, save_file

from spiritlm_cli.console import log
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.language.transformers_loading import load_causal_lm

CPU = torch.device("cpu")
IDS = torch.arange(1, 20)[None]


@torch.inference_mode()
@pytest.mark.parametrize("kind", CONFIGS)
def test_loaded_network_computes_the_same(tmp_path: Path, kind: str) -> None:
    expected = write_causal_lm(tmp_path, kind)(input_ids=IDS).logits
    network = load_causal_lm(tmp_path, CPU, torch.float32)
    assert torch.equal(network(input_ids=IDS).logits, expected)
    wrap_as_slamkit(tmp_path)
    network = load_causal_lm(tmp_path, CPU, torch.float32)
    assert torch.equal(network(input_ids=IDS).logits, expected)
    assert load_causal_lm(tmp_path, CPU, torch.bfloat16).dtype == torch.bfloat16


@torch.inference_mode()
def test_values_under_the_names_of_transformers_4(tmp_path: Path) -> None:
    """Not only those that the configuration has as fields."""
    write_causal_lm(tmp_path, "gpt_neox")
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    rope = config.pop("rope_parameters")
    assert rope["partial_rotary_factor"] == 0.25
    old = {"rotary_emb_base": 500.0, "rotary_pct": 0.5, "torch_dtype": "float16"}
    path.write_text(json.dumps(config | old))
    network = load_causal_lm(tmp_path, CPU, torch.float32)
    assert network.config.rope_parameters["rope_theta"] == 500.0
    assert network.config.rope_parameters["partial_rotary_factor"] == 0.5
    assert network.dtype == torch.float32


def test_nothing_is_printed_about_a_configuration(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    write_causal_lm(tmp_path, "opt")
    path = tmp_path / "config.json"
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"rope_scaling": {"type": "linear", "factor": 2.0}})
    )
    recwarn.clear()
    load_causal_lm(tmp_path, CPU, torch.float32)
    assert not recwarn.list


def test_load_runs_no_code_of_the_folder(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Nor fetches what the configuration names."""
    mark = tmp_path / "mark"
    (tmp_path / "code.py").write_text(f"open({str(mark)!r}, 'w')\nclass Config: ...\nclass Model: ...\n")
    write_causal_lm(
        tmp_path,
        "opt",
        auto_map={"AutoConfig": "code.Config", "AutoModelForCausalLM": "code.Model"},
        attn_implementation="someone/kernels",
        _attn_implementation="someone/kernels",
        _attn_implementation_internal="someone/kernels",
        experts_implementation="someone/kernels",
        use_kernels=True,
    )
    capfd.readouterr()
    network = load_causal_lm(tmp_path, CPU, torch.float32)
    assert network.config._attn_implementation == "sdpa"
    assert not mark.exists()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "nonsense"}, "model_type is 'nonsense', of which transformers has no causal"),
        ({"model_type": ["opt"]}, r"model_type is \['opt'\], expected a name"),
        ({"model_type": "vit"}, "model_type is 'vit', of which"),
        ({"model_type": None}, "model_type is None, expected a name"),
        ({"model_type": "gemma3"}, r"a model of several networks \(text_config, vision_config\)"),
        ({"quantization_config": {"quant_method": "awq"}}, "quantized weights can't be read"),
        ({"num_hidden_layers": 5000}, "5000 layers, expected 1 to 1024"),
        ({"num_hidden_layers": 0}, "0 layers"),
        ({"hidden_size": 1 << 30}, "hidden_size is 1073741824, more than"),
        ({"hidden_size": "16"}, "hidden_size"),
        ({"hidden_size": 1 << 20}, "describes [0-9]+ weights, and model.safetensors has"),
    ],
)
def test_load_names_what_is_wrong_with_a_configuration(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    write_causal_lm(tmp_path, "opt", **changes)
    with pytest.raises(CheckpointError, match=rf"config\.json: .*{message}"):
        load_causal_lm(tmp_path, CPU, torch.float32)


def test_load_names_what_is_wrong_with_weights(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_causal_lm(tmp_path, "opt")
    path = tmp_path / "model.safetensors"
    tensors = load_file(path)
    name = "model.decoder.layers.0.fc1.weight"

    def load(changed: dict[str, torch.Tensor]) -> None:
        save_file(changed, path, {"format": "pt"})
        load_causal_lm(tmp_path, CPU, torch.float32)

    with pytest.raises(CheckpointError, match=rf"model\.safetensors: missing tensor {name}"):
        load({key: tensor for key, tensor in tensors.items() if key != name})
    with pytest.raises(
        CheckpointError, match=rf"model\.safetensors: {name} is \(3, 16\), expected \(24, 16\)"
    ):
        load(tensors | {name: tensors[name][:3].clone()})
    with pytest.raises(CheckpointError, match=rf"{name} has values that are infinite or not a number"):
        load(tensors | {name: tensors[name] * torch.nan})
    log.propagate = True
    with caplog.at_level(logging.WARNING):
        load(tensors | {"other.weight": torch.ones(2)})
    assert "1 tensors are not of the network: other.weight" in caplog.text
    change_config(tmp_path, max_position_embeddings=None)
    with pytest.raises(CheckpointError, match=r"config\.json"):
        load(tensors)
