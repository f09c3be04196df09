from typing import Any

import pytest
import torch
from causal_lm import causal_lm
from flash_attention import padded, use_flash
from transformers import modeling_flash_attention_utils

from spiritlm_cli.training.packing import (
    Packing,
    document_bounds,
    document_mask,
    find_packing,
    forward_arguments,
)

DOCUMENTS = ([5, 9, 11, 3, 7, 21, 8, 2, 40, 41, 42, 12], [30, 31], [9, 9, 22, 11])
KINDS = {
    "llama": Packing.POSITIONS,
    "qwen2": Packing.POSITIONS,
    "mistral": Packing.POSITIONS,
    "gemma2": Packing.POSITIONS,
    "gpt2": Packing.POSITIONS,
    "opt": Packing.MASK,
}


def test_document_mask_is_causal_within_documents() -> None:
    mask = document_mask(torch.tensor([[0, 1, 0, 0, 1]]))
    assert mask[0, 0].long().tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [0, 0, 1, 0, 0],
        [0, 0, 0, 1, 0],
        [0, 0, 0, 1, 1],
    ]


def test_document_bounds_are_those_of_the_rows_in_succession() -> None:
    # the second row goes on as the first ended
    bounds = document_bounds(torch.tensor([[0, 1, 0], [1, 2, 0]]))
    assert bounds.dtype == torch.int32
    assert bounds.tolist() == [0, 2, 3, 5, 6]


# transformers has no sdpa for the capped logits of gemma2
CASES = [(kind, way) for kind in KINDS for way in ("eager", "sdpa") if (kind, way) != ("gemma2", "sdpa")]


@pytest.mark.parametrize(("kind", "attention"), CASES)
def test_packed_logits_equal_those_of_each_document(kind: str, attention: str) -> None:
    network = causal_lm(kind)
    network.set_attn_implementation(attention)
    packing = find_packing(network)
    assert packing is KINDS[kind]
    positions = torch.tensor([[i for document in DOCUMENTS for i in range(len(document))]] * 2)
    packed = torch.tensor([[token for document in DOCUMENTS for token in document]] * 2)
    with torch.no_grad():
        logits = network(input_ids=packed, **forward_arguments(packing, positions, network)).logits[1]
        alone = torch.cat([network(input_ids=torch.tensor([document])).logits[0] for document in DOCUMENTS])
    assert torch.allclose(logits, alone, atol=1e-5 * alone.abs().max().item())


@pytest.mark.parametrize("kind", ["llama", "qwen2", "gpt2", "opt"])
def test_flash_attention_gets_the_bounds_of_documents(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = causal_lm(kind)
    use_flash(network, monkeypatch)
    packing = find_packing(network)
    assert packing is Packing.VARLEN
    positions = torch.tensor([[i for document in DOCUMENTS for i in range(len(document))]] * 2)
    packed = torch.tensor([[token for document in DOCUMENTS for token in document]] * 2)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        logits = network(input_ids=packed, **forward_arguments(packing, positions, network)).logits[1]
        alone = torch.cat([network(input_ids=torch.tensor([document])).logits[0] for document in DOCUMENTS])
    assert torch.allclose(logits, alone, atol=0.02 * alone.abs().max().item())


def test_find_packing_refuses_flash_attention_that_ignores_the_bounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = causal_lm("llama")
    use_flash(network, monkeypatch)

    def ignoring(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, **options: Any) -> torch.Tensor:
        return padded(q[None], k[None], v[None], options["softmax_scale"], options["causal"])[0]

    monkeypatch.setattr(modeling_flash_attention_utils, "_flash_varlen_fn", ignoring)
    assert find_packing(network) is Packing.NONE


def test_find_packing_of_a_recurrent_network() -> None:
    from transformers import MambaConfig, MambaForCausalLM

    config = MambaConfig(vocab_size=60, hidden_size=16, state_size=4, num_hidden_layers=1)
    assert find_packing(MambaForCausalLM(config)) is Packing.NONE
