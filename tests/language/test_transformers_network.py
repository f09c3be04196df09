import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from causal_lm import CONFIGS, causal_lm
from torch import Tensor

from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.language import transformers_network
from spiritlm_cli.language.transformers_network import PaddedCache, TransformersNetwork
from spiritlm_cli.third_party import hide_broken_torchaudio

with hide_broken_torchaudio():
    from transformers import AutoConfig, AutoModelForCausalLM

RNG = torch.Generator().manual_seed(0)
SEQUENCES = [torch.randint(1, 60, (length,), generator=RNG) for length in (9, 1, 30, 4)]


@pytest.fixture(scope="module", params=CONFIGS)
def network(request: pytest.FixtureRequest) -> TransformersNetwork:
    return TransformersNetwork(causal_lm(request.param), 64)


@pytest.fixture(autouse=True)
def inference_mode() -> Iterator[None]:
    with torch.inference_mode():
        yield


def logits_alone(network: TransformersNetwork, ids: Tensor) -> Tensor:
    """Logits after each token, without padding, cache or mask: (tokens, vocab_size)."""
    logits: Tensor = network._network(input_ids=ids[None]).logits[0]
    return logits


def assert_close(computed: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(computed, expected, rtol=1e-4, atol=1e-4)


def test_next_logits_of_a_batch_are_those_of_each_sequence(network: TransformersNetwork) -> None:
    caches = [network.new_cache() for _ in SEQUENCES]
    ids = [sequence.clone() for sequence in SEQUENCES]
    expected = torch.stack([logits_alone(network, one)[-1] for one in ids])
    assert_close(network.next_logits(ids, caches), expected)
    # step by step, in batches of changing sequences
    for group in ([0, 1, 2, 3], [0, 1, 2, 3], [3, 1], [2, 3, 1], [0, 1, 2, 3]):
        new = torch.randint(1, 60, (len(group), 1), generator=RNG)
        logits = network.next_logits(list(new), [caches[index] for index in group])
        for index, token, row in zip(group, new, logits, strict=True):
            ids[index] = torch.cat([ids[index], token])
            assert_close(row, logits_alone(network, ids[index])[-1])
    assert [cache.length for cache in caches] == list(map(len, ids))


def test_several_tokens_after_a_shared_prefix(network: TransformersNetwork) -> None:
    prefix = SEQUENCES[2][:12]
    cache = network.new_cache()
    network.next_logits([prefix], [cache])
    parts = [SEQUENCES[0], SEQUENCES[3], SEQUENCES[0][:4], SEQUENCES[1]]
    caches = [cache.copy() for _ in parts[1:]] + [network.new_cache()]
    logits = network.next_logits(parts, caches)
    for part, row in zip(parts[:3], logits, strict=False):
        assert_close(row, logits_alone(network, torch.cat([prefix, part]))[-1])
    assert_close(logits[3], logits_alone(network, parts[3])[-1])
    assert [one.length for one in caches] == [21, 16, 16, 1]
    assert cache.length == 12


def test_a_shorter_length_drops_the_last_tokens(network: TransformersNetwork) -> None:
    caches = [network.new_cache(), network.new_cache()]
    network.next_logits([SEQUENCES[2], SEQUENCES[0]], caches)
    caches[0].length = 20
    rows = network.next_logits([SEQUENCES[2][20:21], SEQUENCES[3][:1]], caches)
    assert_close(rows[0], logits_alone(network, SEQUENCES[2][:21])[-1])
    assert_close(rows[1], logits_alone(network, torch.cat([SEQUENCES[0], SEQUENCES[3][:1]]))[-1])


@pytest.mark.parametrize("max_logits", [256, 12])
def test_score_tokens(network: TransformersNetwork, max_logits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transformers_network, "_MAX_LOGITS", max_logits)
    contexts = [1, 1, 7, 4]
    # the last one ends in its most likely token
    sequences = [
        *SEQUENCES[:3],
        torch.cat([SEQUENCES[3], logits_alone(network, SEQUENCES[3])[-1:].argmax(-1)]),
    ]
    results = network.score_tokens(sequences, contexts)
    for ids, context, computed in zip(sequences, contexts, results, strict=True):
        log_probabilities = logits_alone(network, ids)[:-1].log_softmax(-1)
        expected = log_probabilities.gather(1, ids[1:, None])[:, 0]
        assert_close(computed.log_probabilities, expected[context - 1 :])
        assert torch.equal(computed.greedy, (log_probabilities.argmax(-1) == ids[1:])[context - 1 :])
    assert results[3].greedy.tolist() == [True]


def test_batches_are_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transformers_network, "_MAX_TOKENS", 20)
    batches = list(transformers_network._batches([9, 1, 30, 4, 9, 9], [0] * 6))
    assert batches == [[1, 3], [0, 4], [5], [2]]
    # after other tokens, those that have equally many new ones
    assert list(transformers_network._batches([1, 1, 5, 1, 5], [3, 0, 0, 9, 2])) == [[1, 2], [0, 3], [4]]


def test_a_batch_that_goes_on_is_not_copied() -> None:
    """And the tensors of sequences that ended are freed with their batch."""
    network = TransformersNetwork(causal_lm("opt"), 64)
    caches = [network.new_cache() for _ in SEQUENCES]
    network.next_logits(SEQUENCES, caches)
    assert transformers_network._shared_batch(caches)
    assert not transformers_network._shared_batch(caches[::-1])
    assert not transformers_network._shared_batch(caches[:2])
    old = weakref.ref(caches[0].layers[0][0])
    del caches[2]
    network.next_logits([ids[:1] for ids in SEQUENCES[:3]], caches)
    assert old() is None
    assert caches[0].layers[0][0].shape[2] == 10


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "mamba", "state_size": 4},
        {"model_type": "jamba", "num_attention_heads": 4, "num_key_value_heads": 4, "intermediate_size": 24,
         "mamba_d_state": 4, "use_mamba_kernels": False, "num_experts": 2, "attn_layer_period": 2,
         "attn_layer_offset": 1, "pad_token_id": 0},
    ],
)  # fmt: skip
def test_a_network_with_a_recurrent_state_is_refused(config: dict[str, Any], tmp_path: Path) -> None:
    sizes = {"vocab_size": 60, "hidden_size": 16, "num_hidden_layers": 2}
    network = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config, **sizes))
    message = f"model_type '{config['model_type']}' don't keep keys and values"
    with pytest.raises(CheckpointError, match=message):
        TransformersNetwork(network, 64)
    network.save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=rf"config\.json: .*{message}"):
        TransformersNetwork.load(tmp_path, torch.device("cpu"), torch.float32)


def test_copies_are_independent() -> None:
    network = TransformersNetwork(causal_lm("gemma2"), 64)
    cache = network.new_cache()
    network.next_logits([SEQUENCES[0]], [cache])
    other: PaddedCache = cache.copy()
    network.next_logits([SEQUENCES[2][:3]], [cache])
    (row,) = network.next_logits([SEQUENCES[1]], [other])
    assert (cache.length, other.length) == (12, 10)
    assert_close(row, logits_alone(network, torch.cat(SEQUENCES[:2]))[-1])


def test_layer_states_are_before_the_last_norm(network: TransformersNetwork) -> None:
    inner = network._network
    for ids, states in zip(SEQUENCES, network.layer_states(SEQUENCES), strict=True):
        hidden = inner(input_ids=ids[None], output_hidden_states=True).hidden_states
        assert states.shape == (3, len(ids), 16)
        assert_close(states[:2], torch.cat(hidden[:2]))
        assert_close(_last_norm(inner)(states[2]), hidden[2][0])


def _last_norm(network: Any) -> Any:
    body = network.base_model
    body = getattr(body, "decoder", body)
    names = ("final_layer_norm", "ln_f", "norm")
    return next(getattr(body, name) for name in names if hasattr(body, name))
