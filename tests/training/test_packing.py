import pytest
import torch
from causal_lm import causal_lm

from spiritlm_cli.training.packing import Packing, document_mask, find_packing, forward_arguments

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


def test_find_packing_of_a_recurrent_network() -> None:
    from transformers import MambaConfig, MambaForCausalLM

    config = MambaConfig(vocab_size=60, hidden_size=16, state_size=4, num_hidden_layers=1)
    assert find_packing(MambaForCausalLM(config)) is Packing.NONE
