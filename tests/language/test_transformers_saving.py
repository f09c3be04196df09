import json
from pathlib import Path

import torch
from causal_lm import causal_lm
from safetensors.torch import load_file

from spiritlm_cli.language.transformers_saving import save_causal_lm


def test_tied_weights_are_written_once(tmp_path: Path) -> None:
    network = causal_lm("opt")
    network.config.dtype = torch.float32  # as when it was read from a file
    save_causal_lm(network, tmp_path, torch.bfloat16)
    tensors = load_file(tmp_path / "model.safetensors")
    assert "lm_head.weight" not in tensors
    assert {tensor.dtype for tensor in tensors.values()} == {torch.bfloat16}
    config = json.loads((tmp_path / "config.json").read_text())
    assert (config["architectures"], config["torch_dtype"]) == (["OPTForCausalLM"], "bfloat16")
    assert "dtype" not in config
