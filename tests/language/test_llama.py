from pathlib import Path
from typing import Any

import pytest
import torch

from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.language.llama import Cache, Llama, LlamaConfig

CONFIG = LlamaConfig(
    vocab_size=50,
    hidden_size=16,
    intermediate_size=24,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=32,
)


def network(config: LlamaConfig = CONFIG) -> Llama:
    torch.manual_seed(0)
    llama = Llama(config)
    for weight in llama.parameters():
        weight.data *= 20
    return llama.eval()


@torch.inference_mode()
def test_with_a_cache_the_logits_are_the_same() -> None:
    llama = network()
    ids = torch.randint(50, (2, 12))
    whole = llama(ids)
    cache = Cache(CONFIG, capacity=12, like=whole, batch=2)
    parts = [llama(ids[:, :7], cache)] + [llama(ids[:, i : i + 1], cache) for i in range(7, 12)]
    torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=1e-4, atol=1e-4)
    assert cache.length == 12


@torch.inference_mode()
def test_tokens_see_only_what_is_before_them_and_where_it_is() -> None:
    llama = network()
    ids = torch.randint(50, (1, 8))
    changed = ids.clone()
    changed[0, 5] = (ids[0, 5] + 1) % 50
    same, other = llama(ids)[0], llama(changed)[0]
    torch.testing.assert_close(same[:5], other[:5])
    assert (same[5:] != other[5:]).any(-1).all()
    moved = llama(ids[:, [1, 0, *range(2, 8)]])[0]
    assert (moved[2:] - same[2:]).abs().max() > 1e-3


@torch.inference_mode()
def test_grouped_heads_are_whole_heads_with_shared_keys_and_values() -> None:
    grouped = network()
    full = Llama(LlamaConfig(**{**vars(CONFIG), "num_key_value_heads": 4})).eval()
    state = grouped.state_dict()
    for name in state:
        if name.endswith(("k_proj.weight", "v_proj.weight")):
            state[name] = state[name].view(2, 4, 16).repeat_interleave(2, 0).reshape(16, 16)
    full.load_state_dict(state)
    ids = torch.randint(50, (1, 9))
    torch.testing.assert_close(grouped(ids), full(ids))


@torch.inference_mode()
def test_a_tied_head_is_the_embedding() -> None:
    tied = network(LlamaConfig(**{**vars(CONFIG), "tie_word_embeddings": True}))
    assert "lm_head.weight" not in tied.state_dict()
    untied = Llama(CONFIG).eval()
    untied.load_state_dict({**tied.state_dict(), "lm_head.weight": tied.model.embed_tokens.weight})
    ids = torch.randint(50, (1, 9))
    torch.testing.assert_close(tied(ids), untied(ids))


def test_the_last_logits_alone_are_the_last() -> None:
    llama = network()
    ids = torch.randint(50, (2, 9))
    torch.testing.assert_close(llama(ids, last_only=True), llama(ids)[:, -1:])


def test_new_weights_are_small() -> None:
    llama = Llama(LlamaConfig(**{**vars(CONFIG), "vocab_size": 5000}))
    assert llama.model.embed_tokens.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert (llama.model.norm.weight == 1).all()


def test_a_configuration_reads_back() -> None:
    assert LlamaConfig.from_json(CONFIG.to_json(), Path("config.json")) == CONFIG


def test_both_ages_of_configuration() -> None:
    old = {
        **CONFIG.to_json(),
        "rope_theta": 1e5,
        "rope_scaling": None,
        "pad_token_id": -1,
        "torch_dtype": "float16",
    }
    new = {**CONFIG.to_json(), "rope_parameters": {"rope_theta": 1e5, "rope_type": "default"}, "head_dim": 4}
    del new["rope_theta"]
    read = LlamaConfig.from_json(old, Path("config.json"))
    assert read.rope_theta == 1e5
    assert read == LlamaConfig.from_json(new, Path("config.json"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu', expected 'silu'"),
        ({"model_type": "mistral"}, "model_type is 'mistral'"),
        ({"rope_scaling": {"type": "linear"}}, "rope_scaling"),
        ({"rope_parameters": {"rope_type": "yarn"}}, "'yarn'"),
        ({"sliding_window": 4096}, "unknown key 'sliding_window'"),
        ({"num_attention_heads": 3}, "3 heads"),
        ({"num_key_value_heads": 3}, "3 key-value heads"),
        ({"head_dim": 32}, "head_dim is 32, expected 4"),
    ],
)
def test_another_network_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        LlamaConfig.from_json({**CONFIG.to_json(), **change}, Path("config.json"))
