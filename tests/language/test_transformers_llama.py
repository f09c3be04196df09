from typing import Any

import pytest
import torch

from spiritlm_cli.language.transformers_llama import as_weights, new_network

CONFIG: dict[str, Any] = {
    "vocab_size": 50, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4,
    "max_position_embeddings": 32,
}  # fmt: skip


def test_new_network_draws_small_weights() -> None:
    torch.manual_seed(0)
    network = new_network(**CONFIG)
    assert network.model.layers[0].mlp.up_proj.weight.std().item() == pytest.approx(0.02, rel=0.2)
    assert new_network(**CONFIG, pad_token_id=-1).model.embed_tokens.padding_idx is None


def test_new_network_does_not_guess_a_missing_size() -> None:
    with pytest.raises(ValueError, match="missing key 'hidden_size'"):
        new_network(**{name: value for name, value in CONFIG.items() if name != "hidden_size"})


@pytest.mark.parametrize("change", [{}, {"tie_word_embeddings": True}, {"attention_bias": True}])
def test_as_weights_shares_the_parameters(change: dict[str, Any]) -> None:
    network = new_network(**CONFIG, **change)
    weights = as_weights(network)
    expected = network.state_dict()
    assert set(weights.state_dict()) == set(expected)
    for name, tensor in weights.state_dict().items():
        assert tensor.data_ptr() == expected[name].data_ptr()
    assert weights.config.rope_theta == 10000.0
    assert weights.config.dim_of_head == 4
