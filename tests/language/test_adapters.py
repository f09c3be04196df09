"""Adapters, as peft writes them for networks of several kinds, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from causal_lm import causal_lm
from safetensors.torch import load_file, save_file

from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.language.adapters import is_adapter, merge_adapter, read_adapter
from spiritlm_cli.third_party import hide_broken_torchaudio

with hide_broken_torchaudio():
    from peft import LoraConfig, get_peft_model

# Linear layers in (in, out) with biases; tied and scaled embeddings; learned positions; an output layer of its own.
KINDS = ("gpt2", "gemma", "opt", "gpt_neox", "llama")


def write_adapter(folder: Path, kind: str = "llama", **changes: Any) -> Any:
    """Write an adapter with random values by peft, and return the network with it."""
    base = causal_lm(kind)
    model = get_peft_model(
        base, LoraConfig(**{"r": 2, "lora_alpha": 3, "target_modules": "all-linear"} | changes)
    )
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.normal_(0, 0.3)
    model.save_pretrained(folder)
    return model.eval()


@pytest.mark.parametrize("kind", KINDS)
def test_merge_gives_the_logits_of_peft(kind: str, tmp_path: Path) -> None:
    ids = torch.arange(50)[None] + 1
    model = write_adapter(tmp_path, kind, trainable_token_indices=[5, 7, 40], use_rslora=kind == "opt")
    assert is_adapter(tmp_path)
    merged = causal_lm(kind)
    merge_adapter(merged, read_adapter(tmp_path))
    with torch.no_grad():
        assert torch.allclose(model(ids).logits, merged(ids).logits, atol=1e-4)
        assert not torch.allclose(merged(ids).logits, causal_lm(kind)(ids).logits, atol=1e-2)


def test_merge_replaces_modules_that_were_trained_whole(tmp_path: Path) -> None:
    ids = torch.arange(50)[None]
    model = write_adapter(tmp_path, modules_to_save=["lm_head", "embed_tokens"])
    merged = causal_lm("llama")
    merge_adapter(merged, read_adapter(tmp_path))
    with torch.no_grad():
        assert torch.allclose(model(ids).logits, merged(ids).logits, atol=1e-4)


REFUSED = {
    "peft_type": ("VERA", "peft_type is 'VERA'; only LORA is known"),
    "use_dora": (True, "use_dora is True; merge this adapter with peft"),
    "rank_pattern": ({"q_proj": 4}, "rank_pattern is {'q_proj': 4}; merge this adapter with peft"),
    "init_lora_weights": ("pissa", "init_lora_weights is 'pissa'; merge this adapter with peft"),
    "r": (0, "r is 0 and lora_alpha 3, expected positive numbers"),
    "lora_alpha": ("x", "r is 2 and lora_alpha 'x', expected positive numbers"),
    "trainable_token_indices": ([5, -7], "trainable_token_indices are not the 2 rows of model.embed_tokens"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_read_adapter_refuses_settings(name: str, tmp_path: Path) -> None:
    write_adapter(tmp_path, trainable_token_indices=[5, 7])
    value, message = REFUSED[name]
    path = tmp_path / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))
    with pytest.raises(CheckpointError) as caught:
        read_adapter(tmp_path)
    assert message in str(caught.value)


def test_read_adapter_refuses_tensors(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="not the folder of an adapter"):
        read_adapter(tmp_path)
    write_adapter(tmp_path)
    path = tmp_path / "adapter_model.safetensors"
    tensors = load_file(path)
    name = "base_model.model.model.layers.0.mlp.up_proj.lora_A.weight"
    faults = {
        "values that are infinite or not a number": {name: tensors[name] / 0},
        "have not the rank of 2": {name: torch.zeros(3, 16)},
        "has not two matrices": {name.replace(".0.", ".9."): torch.zeros(2, 16)},
        "magnitude is not known; merge this adapter with peft": {f"{name[:-14]}.magnitude": torch.ones(3)},
    }
    for message, changed in faults.items():
        save_file({**tensors, **changed}, path)
        with pytest.raises(CheckpointError, match=message):
            read_adapter(tmp_path)


def test_merge_refuses_the_adapter_of_another_model(tmp_path: Path) -> None:
    write_adapter(tmp_path)
    adapter = read_adapter(tmp_path)
    with pytest.raises(CheckpointError, match=r"is for another model: a opt has no model\.layers"):
        merge_adapter(causal_lm("opt"), adapter)
    with pytest.raises(CheckpointError, match=r"mlp\.down_proj\.weight is \(16, 32\), expected \(16, 24\)"):
        merge_adapter(causal_lm("llama", intermediate_size=32), adapter)
