import itertools

import pytest
import torch

from spiritlm_cli.language import llama
from spiritlm_cli.language.llama import PackedLlama
from spiritlm_cli.language.transformers_llama import LlamaForCausalLM, as_weights, new_network

RNG = torch.Generator().manual_seed(0)
SEQUENCES = [torch.randint(50, (length,), generator=RNG) for length in (9, 1, 17, 4)]


def large_network(key_value_heads: int = 2) -> LlamaForCausalLM:
    """A network with large weights, so that errors are visible."""
    torch.manual_seed(0)
    network = new_network(
        vocab_size=50, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=key_value_heads, max_position_embeddings=64, rope_theta=1e5,
    )  # fmt: skip
    for name, parameter in network.named_parameters():
        if "norm" not in name:
            parameter.data *= 20
    return network.eval()


def packed_llama(key_value_heads: int = 2) -> PackedLlama:
    return PackedLlama(as_weights(large_network(key_value_heads)))


@torch.inference_mode()
@pytest.mark.parametrize("key_value_heads", [2, 4])
def test_logits_equal_transformers(key_value_heads: int) -> None:
    network = large_network(key_value_heads)
    expected = [network(input_ids=ids[None]).logits[0] for ids in SEQUENCES]
    packed = packed_llama(key_value_heads)
    for hidden, logits in zip(packed.hidden_states(SEQUENCES), expected, strict=True):
        computed = torch.cat([packed.last_logits([hidden[:end]]) for end in range(1, len(hidden) + 1)])
        torch.testing.assert_close(computed, logits, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_hidden_states_do_not_depend_on_other_sequences_or_on_the_cache() -> None:
    packed = packed_llama()
    alone = [packed.hidden_states([ids])[0] for ids in SEQUENCES]
    for order in itertools.permutations(range(4)):
        together = packed.hidden_states([SEQUENCES[index] for index in order])
        assert all(torch.equal(hidden, alone[index]) for hidden, index in zip(together, order, strict=True))
    # token by token, in batches of different sequences
    caches = [packed.new_cache() for _ in SEQUENCES]
    first = packed.hidden_states([ids[:1] for ids in SEQUENCES], caches)
    for position in range(1, 17):
        longer = [index for index, ids in enumerate(SEQUENCES) if len(ids) > position]
        step = packed.hidden_states(
            [SEQUENCES[index][position : position + 1] for index in longer],
            [caches[index] for index in longer],
        )
        for index, hidden in zip(longer, step, strict=True):
            torch.testing.assert_close(hidden[0], alone[index][position], rtol=1e-4, atol=1e-4)
    for hidden, whole in zip(first, alone, strict=True):
        torch.testing.assert_close(hidden[0], whole[0], rtol=1e-4, atol=1e-4)
    assert [cache.length for cache in caches] == [9, 1, 17, 4]


@torch.inference_mode()
def test_token_scores_do_not_depend_on_rows() -> None:
    packed = packed_llama(4)
    (hidden,) = packed.hidden_states([SEQUENCES[2]])
    whole = packed.token_scores(hidden[:-1], SEQUENCES[2][1:]).log_probabilities
    assert torch.equal(packed.token_scores(hidden[:-1], SEQUENCES[2][1:], rows=3).log_probabilities, whole)
    logits = torch.stack([packed.last_logits([hidden[: end + 1]])[0] for end in range(16)])
    expected = logits.log_softmax(-1).gather(1, SEQUENCES[2][1:, None])[:, 0]
    torch.testing.assert_close(whole, expected, rtol=1e-4, atol=1e-4)
    assert packed.token_scores(hidden[:0], SEQUENCES[2][:0]).log_probabilities.tolist() == []


def spread_llama(device: str) -> PackedLlama:
    """The second layer, the norm and the head are on `device`, the rest on the CPU."""
    weights = as_weights(large_network())
    for module in (weights.model.layers[1], weights.model.norm, weights.lm_head):
        module.to(device)
    return PackedLlama(weights)


@torch.inference_mode()
def test_layers_on_two_devices_compute_the_same() -> None:
    """With one CPU as both devices, for which moving a tensor does nothing."""
    alone, both = packed_llama(), spread_llama("cpu")
    for packed in (alone, both):
        caches = [packed.new_cache() for _ in SEQUENCES]
        prompt = packed.hidden_states(SEQUENCES, caches)
        logits = packed.last_logits(packed.hidden_states([ids[:1] for ids in SEQUENCES], caches))
        scores = packed.token_scores(prompt[2][:-1], SEQUENCES[2][1:]).log_probabilities
        if packed is alone:
            expected = logits, scores
    assert torch.equal(logits, expected[0])
    assert torch.equal(scores, expected[1])


@torch.inference_mode()
def test_layers_and_caches_stay_on_their_devices() -> None:
    """The second device is torch's meta device, which has devices and shapes, but no values."""
    packed = spread_llama("meta")
    assert packed.device == torch.device("cpu")
    caches = [packed.new_cache() for _ in SEQUENCES]
    for sequences in (SEQUENCES, [ids[:1] for ids in SEQUENCES]):
        hidden = packed.hidden_states(sequences, caches)
        assert {states.device.type for states in hidden} == {"meta"}
        assert [device.type for device in caches[0].devices] == ["cpu", "meta"]
        assert packed.last_logits(hidden).shape == (4, 50)
    assert packed.token_scores(hidden[0], SEQUENCES[0][:1]).log_probabilities.device.type == "meta"


@torch.inference_mode()
def test_rope_tables_grow_with_the_sequence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A context of millions of tokens takes memory when it is used."""
    expected = [hidden.clone() for hidden in packed_llama().hidden_states(SEQUENCES)]
    monkeypatch.setattr(llama, "_ROPE_BLOCK", 8)
    packed = packed_llama()
    assert len(packed._rope[packed.device][0]) == 8
    cache = packed.new_cache()
    parts = [packed.hidden_states([part], [cache])[0] for part in torch.split(SEQUENCES[2], 3)]
    torch.testing.assert_close(torch.cat(parts), expected[2])
    assert len(packed._rope[packed.device][0]) == 32
    for hidden, whole in zip(packed.hidden_states(SEQUENCES), expected, strict=True):
        assert torch.equal(hidden, whole)


@torch.inference_mode()
def test_layer_states_are_the_residual_stream_of_transformers() -> None:
    network = large_network()
    packed = packed_llama()
    for ids, states in zip(SEQUENCES, packed.layer_states(SEQUENCES), strict=True):
        output = network.model(input_ids=ids[None], output_hidden_states=True)
        assert states.shape == (3, len(ids), 16)
        torch.testing.assert_close(states[:2], torch.cat(output.hidden_states[:2]), rtol=1e-4, atol=1e-4)
        # transformers applies the last norm to the last of them
        last = network.model.norm(states[2])
        torch.testing.assert_close(last, output.last_hidden_state[0], rtol=1e-4, atol=1e-4)
