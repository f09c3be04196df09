"""Adapters: trained beside a frozen network, written as peft writes them, resumed."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from causal_lm import causal_lm
from text_models import LINE, lines_options, text_model
from training_fixtures import assert_same_weights, in_two_processes, interrupted

from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.language.adapters import read_adapter
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.vocabulary_loading import load_vocabulary
from spiritlm_cli.third_party import hide_broken_torchaudio
from spiritlm_cli.tokens.reader import parse_line
from spiritlm_cli.training.language_model import train
from spiritlm_cli.training.lora import TrainedParameters, add_adapter
from spiritlm_cli.training.starting_model import starting_model

with hide_broken_torchaudio():
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "tied llama": ("llama", {"tie_word_embeddings": True}),
    "gpt2": ("gpt2", {}),
}


@pytest.mark.parametrize("name", KINDS)
def test_peft_loads_a_trained_adapter(name: str, tmp_path: Path) -> None:
    kind, changes = KINDS[name]
    folder = text_model(tmp_path / "text", kind, **changes)
    options = lines_options(folder, tmp_path / "out", lora=2)
    model = starting_model(options, [])
    base = {name: one.clone() for name, one in model.network.state_dict().items()}
    parameters = TrainedParameters(model.network).state_dict()
    # both matrices of each linear layer, and the rows of added tokens of the embedding and of an own output layer
    tied = model.network.config.tie_word_embeddings
    assert sum("lora_" not in name for name in parameters) == (1 if tied else 2)
    assert 0 < sum("lora_B" in name for name in parameters) == sum("lora_A" in name for name in parameters)
    train(options)
    adapter = read_adapter(tmp_path / "out")
    assert adapter.base == str(folder)
    assert any(bool(second.any()) for _, second in adapter.pairs.values())

    loaded = AutoModelForCausalLM.from_pretrained(folder)
    loaded.resize_token_embeddings(model.network.config.vocab_size, mean_resizing=False)
    loaded = PeftModel.from_pretrained(loaded, tmp_path / "out")
    ids = torch.tensor([load_vocabulary(tmp_path / "out").encode(parse_line(LINE).sequence)])
    trained = starting_model(lines_options(folder, tmp_path / "out", lora=2, resume=True), [])
    state = torch.load(tmp_path / "out/training/lm.pt", weights_only=True)["parts"]["network"]
    trained.trained().load_state_dict(state)
    with torch.no_grad():
        assert torch.allclose(loaded(ids).logits, trained.network(ids).logits, atol=1e-5)
    # all other weights are as they were
    frozen = {name: one for name, one in trained.network.named_parameters() if not one.requires_grad}
    assert frozen
    assert all(torch.equal(one, base[name]) for name, one in frozen.items())


def test_resume_is_byte_identical(tmp_path: Path) -> None:
    folder = text_model(tmp_path / "text", "opt", dropout=0.1)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(lines_options(folder, whole, lora=2))
    with interrupted(2):
        train(lines_options(folder, parts, lora=2, save_every=1))
    train(lines_options(folder, parts, lora=2, resume=True))
    assert_same_weights(whole / "adapter_model.safetensors", parts / "adapter_model.safetensors")


def test_the_adapter_begins_as_the_model_itself(tmp_path: Path) -> None:
    folder = text_model(tmp_path / "text", "llama")
    model = starting_model(lines_options(folder, tmp_path / "out", lora=2, lora_alpha=8.0), [])
    plain = starting_model(lines_options(folder, tmp_path / "plain"), [])
    ids = torch.arange(20)[None]
    with torch.no_grad():
        assert torch.equal(model.network(ids).logits, plain.network(ids).logits)
    model.save()
    config = json.loads((tmp_path / "out/adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["task_type"]) == (2, 8.0, "CAUSAL_LM")
    assert config["target_modules"] == sorted(config["target_modules"])
    # the state of a training without an adapter, and of one of another rank
    with pytest.raises(ValueError, match="has other parameters"):
        model.trained().load_state_dict(plain.trained().state_dict())


def test_a_frozen_network_may_be_bfloat16(tmp_path: Path) -> None:
    folder = text_model(tmp_path / "text", "llama", dtype="bfloat16")
    model = starting_model(lines_options(folder, tmp_path / "out", lora=2, bf16=True), [])
    kinds = {one.requires_grad: one.dtype for one in model.network.parameters()}
    assert kinds == {True: torch.float32, False: torch.bfloat16}
    train(lines_options(folder, tmp_path / "out", lora=2, bf16=True))
    assert {one.dtype for one in read_adapter(tmp_path / "out").pairs["model.layers.0.mlp.up_proj"]} == {
        torch.float32
    }


def test_a_model_with_units_gets_no_rows(tmp_path: Path) -> None:
    model = starting_model(lines_options(Path("nano"), tmp_path / "out", lora=1), [])
    assert all("lora_" in name for name in TrainedParameters(model.network).state_dict())
    model.save()
    assert read_adapter(tmp_path / "out").rows == {}


def test_generate_says_how_an_adapter_becomes_a_model(tmp_path: Path) -> None:
    folder = text_model(tmp_path / "text", "llama")
    starting_model(lines_options(folder, tmp_path / "out", lora=1), []).save()
    with pytest.raises(
        CheckpointError, match=r"is an adapter \(LoRA\); `spiritlm models merge .*out -o FOLDER`"
    ):
        LanguageModel.load(str(tmp_path / "out"), device="cpu")


def test_a_folder_has_a_model_or_an_adapter(tmp_path: Path) -> None:
    folder = text_model(tmp_path / "text", "llama")
    adapter, whole = (
        lines_options(folder, tmp_path / "out", lora=lora, overwrite=True) for lora in (1, None)
    )
    for first, second, how in ((adapter, whole, "with"), (whole, adapter, "without")):
        starting_model(replace(first, output=tmp_path / how), []).save()
        with pytest.raises(CheckpointError, match=f"is of a training {how} --lora; give another folder"):
            starting_model(replace(second, output=tmp_path / how), [])


def test_networks_that_can_not_be_merged_are_refused(tmp_path: Path) -> None:
    network = causal_lm("llama")
    network.lm_head.bias = torch.nn.Parameter(torch.zeros(60))
    with pytest.raises(
        CheckpointError, match="a llama has an output layer with a bias; train it without --lora"
    ):
        add_adapter(network, 2, 4, [50], "text")
    with pytest.raises(CheckpointError, match="a mixtral has experts; train it without --lora"):
        add_adapter(causal_lm("mixtral"), 2, 4, [50], "text")


def test_two_processes_equal_one_with_twice_the_batch(tmp_path: Path) -> None:
    folder = text_model(tmp_path / "text", "llama", tie_word_embeddings=True)
    held_out = {"valid": tmp_path / "lines.txt", "valid_every": 1}
    one, two = (
        lines_options(folder, tmp_path / name, lora=2, steps=2, **held_out) for name in ("one", "two")
    )
    train(replace(one, batch=2))
    first, second = in_two_processes(lambda: train(two), tmp_path)
    assert "lm: step 2, held-out loss" in first
    assert second == ""
    name = "adapter_model.safetensors"
    assert_same_weights(tmp_path / "one" / name, tmp_path / "two" / name, tolerance=1e-5)
    assert_same_weights(tmp_path / "one/best" / name, tmp_path / "two/best" / name, tolerance=1e-5)


def test_train_with_fsdp_equals_one_process(tmp_path: Path) -> None:
    folder = text_model(tmp_path / "text", "llama")
    one, two = (lines_options(folder, tmp_path / name, lora=2, steps=2) for name in ("one", "two"))
    train(replace(one, batch=2))
    in_two_processes(lambda: train(replace(two, fsdp=True)), tmp_path)
    name = "adapter_model.safetensors"
    assert_same_weights(one.output / name, two.output / name, tolerance=1e-5)
    # the state has what is trained, whole or a part
    whole, part = (
        torch.load(path, weights_only=True)["parts"]["network"]
        for path in (one.output / "training/lm.pt", two.output / "training/lm.1.pt")
    )
    assert part.keys() == whole.keys()
    assert all(0 < part[name].numel() < whole[name].numel() for name in whole)
