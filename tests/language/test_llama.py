import itertools

import pytest
import torch

from spiritlm_cli.language.llama import PackedLlama
from spiritlm_cli.language.loading import LlamaForCausalLM, new_network

DRAW = torch.Generator().manual_seed(0)
SEQUENCES = [torch.randint(50, (length,), generator=DRAW) for length in (9, 1, 17, 4)]


def large(key_value_heads: int) -> LlamaForCausalLM:
    """A network with large weights, so that faults show."""
    torch.manual_seed(0)
    network = new_network(
        vocab_size=50, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=key_value_heads, max_position_embeddings=64, rope_theta=1e5,
    )  # fmt: skip
    for name, parameter in network.named_parameters():
        if "norm" not in name:
            parameter.data *= 20
    return network.eval()


@torch.inference_mode()
@pytest.mark.parametrize("key_value_heads", [2, 4])
def test_it_is_transformers_network(key_value_heads: int) -> None:
    expected = [large(key_value_heads)(input_ids=ids[None]).logits[0] for ids in SEQUENCES]
    packed = PackedLlama(large(key_value_heads))
    for hidden, logits in zip(packed.last_hidden(SEQUENCES), expected, strict=True):
        found = torch.cat([packed.next_logits([hidden[:place]]) for place in range(1, len(hidden) + 1)])
        torch.testing.assert_close(found, logits, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_nothing_depends_on_the_other_sequences_or_on_what_was_read_before() -> None:
    packed = PackedLlama(large(2))
    alone = [packed.last_hidden([ids])[0] for ids in SEQUENCES]
    for order in itertools.permutations(range(4)):
        together = packed.last_hidden([SEQUENCES[place] for place in order])
        assert all(torch.equal(hidden, alone[place]) for hidden, place in zip(together, order, strict=True))
    # token by token, some of them with others beside
    seen = [packed.new_memory() for _ in SEQUENCES]
    first = packed.last_hidden([ids[:1] for ids in SEQUENCES], seen)
    for at in range(1, 17):
        going = [place for place, ids in enumerate(SEQUENCES) if len(ids) > at]
        found = packed.last_hidden([SEQUENCES[p][at : at + 1] for p in going], [seen[p] for p in going])
        for place, hidden in zip(going, found, strict=True):
            torch.testing.assert_close(hidden[0], alone[place][at], rtol=1e-4, atol=1e-4)
    for hidden, whole in zip(first, alone, strict=True):
        torch.testing.assert_close(hidden[0], whole[0], rtol=1e-4, atol=1e-4)
    assert [memory.length for memory in seen] == [9, 1, 17, 4]


@torch.inference_mode()
def test_log_probabilities_are_taken_some_rows_at_a_time() -> None:
    packed = PackedLlama(large(4))
    (hidden,) = packed.last_hidden([SEQUENCES[2]])
    whole = packed.log_probabilities(hidden[:-1], SEQUENCES[2][1:])
    assert torch.equal(packed.log_probabilities(hidden[:-1], SEQUENCES[2][1:], rows=3), whole)
    logits = torch.stack([packed.next_logits([hidden[: place + 1]])[0] for place in range(16)])
    expected = logits.log_softmax(-1).gather(1, SEQUENCES[2][1:, None])[:, 0]
    torch.testing.assert_close(whole, expected, rtol=1e-4, atol=1e-4)
    assert packed.log_probabilities(hidden[:0], SEQUENCES[2][:0]).tolist() == []


def spread(network: LlamaForCausalLM, device: str) -> PackedLlama:
    """The second layer, the norm and the head on another device."""
    for module in (network.model.layers[1], network.model.norm, network.lm_head):
        module.to(device)
    return PackedLlama(network)


@torch.inference_mode()
def test_layers_on_two_devices_compute_the_same() -> None:
    """With one CPU as both: what is moved, where that is another device, stays."""
    alone, both = PackedLlama(large(2)), spread(large(2), "cpu")
    for packed in (alone, both):
        memory = [packed.new_memory() for _ in SEQUENCES]
        read = packed.last_hidden(SEQUENCES, memory)
        logits = packed.next_logits(packed.last_hidden([ids[:1] for ids in SEQUENCES], memory))
        scores = packed.log_probabilities(read[2][:-1], SEQUENCES[2][1:])
        if packed is alone:
            expected = logits, scores
    assert torch.equal(logits, expected[0])
    assert torch.equal(scores, expected[1])


@torch.inference_mode()
def test_each_layer_computes_and_remembers_where_it_is() -> None:
    """The second device is torch's meta device, which has places and shapes, but no values."""
    packed = spread(large(2), "meta")
    assert packed.device == torch.device("cpu")
    memory = [packed.new_memory() for _ in SEQUENCES]
    for sequences in (SEQUENCES, [ids[:1] for ids in SEQUENCES]):
        hidden = packed.last_hidden(sequences, memory)
        assert {states.device.type for states in hidden} == {"meta"}
        assert [held.device.type for held in memory[0]._layers if held is not None] == ["cpu", "meta"]
        assert packed.next_logits(hidden).shape == (4, 50)
    assert packed.log_probabilities(hidden[0], SEQUENCES[0][:1]).device.type == "meta"
