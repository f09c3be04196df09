import pytest
import torch

from spiritlm_cli.language.rope import rope_tables
from spiritlm_cli.language.transformers_llama import as_weights, new_network


@torch.inference_mode()
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rope_tables_equal_transformers(dtype: torch.dtype) -> None:
    network = new_network(
        vocab_size=50, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, rope_theta=1e5,
    )  # fmt: skip
    expected_cos, expected_sin = network.model.rotary_emb(torch.zeros(1, dtype=dtype), torch.arange(64)[None])
    cos, sin = rope_tables(as_weights(network).config, 10**9, torch.device("cpu"), dtype)
    assert cos.dtype == sin.dtype == dtype
    assert torch.equal(cos[:, 0], expected_cos[0])
    assert torch.equal(sin[:, 0, :2], -expected_sin[0, :, :2])
    assert torch.equal(sin[:, 0, 2:], expected_sin[0, :, 2:])
