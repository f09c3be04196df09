import json
from pathlib import Path
from typing import Any

import pytest
import torch
from causal_lm import write_causal_lm
from torch import Tensor

from spiritlm_cli.errors import CheckpointError, SpiritLMError
from spiritlm_cli.language.llama import PackedLlama
from spiritlm_cli.language.network import Network, load_network
from spiritlm_cli.language.transformers_network import TransformersNetwork

CPU = torch.device("cpu")
MODELS = ("sims-llama", "sims-qwen", "slam-qwen")


@pytest.fixture(scope="module")
def networks(open_language_models: Path) -> dict[str, PackedLlama]:
    return {name: load_network(open_language_models / name, [CPU], torch.float32) for name in MODELS}  # type: ignore[misc]


@pytest.fixture(scope="module")
def answers(data: Path) -> list[dict[str, Any]]:
    """slamkit's answers on the stand-ins: model, output, prompt_ids, greedy_ids, log_likelihood and others."""
    return json.loads((data / "open_models.json").read_text())["language_models"]  # type: ignore[no-any-return]


@torch.inference_mode()
def test_log_likelihoods_of_slamkits_models(
    networks: dict[str, PackedLlama], answers: list[dict[str, Any]]
) -> None:
    for case in answers:
        ids = torch.tensor(case["prompt_ids"])
        (scores,) = networks[case["model"]].score_tokens([ids], [1])
        assert len(scores.log_probabilities) == case["tokens_scored"]
        assert scores.log_probabilities.sum().item() == pytest.approx(case["log_likelihood"], abs=1e-3)


@torch.inference_mode()
@pytest.mark.parametrize("name", MODELS)
def test_batches_do_not_change_results(
    networks: dict[str, PackedLlama], answers: list[dict[str, Any]], name: str
) -> None:
    network = networks[name]
    sequences = [torch.tensor(case["prompt_ids"]) for case in answers if case["model"] == name]
    batch = network.score_tokens(sequences, [1] * len(sequences))
    for ids, together in zip(sequences, batch, strict=True):
        (alone,) = network.score_tokens([ids], [1])
        assert torch.equal(alone.log_probabilities, together.log_probabilities)
        assert torch.equal(alone.greedy, together.greedy)

    def steps(group: list[Tensor]) -> Tensor:
        caches = [network.new_cache() for _ in group]
        prompts = network.next_logits(group, caches)
        return torch.stack([prompts, network.next_logits([ids[:1] for ids in group], caches)], dim=1)

    assert torch.equal(steps(sequences), torch.cat([steps([ids]) for ids in sequences]))


def test_load_network_names_what_is_wrong(open_language_models: Path, tmp_path: Path) -> None:
    config = json.loads((open_language_models / "slam-qwen" / "config.json").read_text())

    def load(**options: Any) -> Network[Any]:
        return load_network(tmp_path, [CPU], torch.float32, **options)

    (tmp_path / "model.safetensors").symlink_to(open_language_models / "slam-qwen" / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({**config, "base_config": "Qwen/Qwen2.5-0.5B"}))
    with pytest.raises(CheckpointError, match=r"config\.json: has no base_config"):
        load()
    (tmp_path / "config.json").write_text(json.dumps({**config, "vocab_size": 500}))
    with pytest.raises(CheckpointError, match=r"embed_tokens\.weight is \(502, 32\), expected \(500, 32\)"):
        load()
    base = config["base_config"] | {"model_type": "gpt2"}
    (tmp_path / "config.json").write_text(json.dumps({**config, "base_config": base}))
    with pytest.raises(
        SpiritLMError, match="quantized weights are for LLaMA, Qwen 2 and Mistral; this is gpt2"
    ):
        load(quantize="int8")
    base = config["base_config"] | {"tie_word_embeddings": False}
    (tmp_path / "config.json").write_text(json.dumps({**config, "base_config": base}))
    with pytest.raises(CheckpointError, match=r"missing tensor lm_head\.weight"):
        load()


@pytest.mark.parametrize(
    ("kind", "changes", "packed"),
    [
        ("opt", {}, False),
        ("mistral", {"sliding_window": 8}, False),
        ("mistral", {"sliding_window": 64}, True),
    ],
)
def test_model_type_chooses_the_class(
    tmp_path: Path, kind: str, changes: dict[str, Any], packed: bool
) -> None:
    """Mistral with a window, which its first version has, is run by transformers."""
    write_causal_lm(tmp_path, kind, **changes)
    network = load_network(tmp_path, [CPU], torch.float32)
    assert type(network) is (PackedLlama if packed else TransformersNetwork)
    assert (network.vocab_size, network.context_length) == (60, 64)
    assert (network.device, network.dtype) == (CPU, torch.float32)
