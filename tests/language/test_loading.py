import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from spiritlm_cli.checkpoints.tensors import read_tensors, write_tensors
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.language.llama import PackedLlama
from spiritlm_cli.language.loading import LlamaConfig, LlamaWeights, load_weights, read_config
from spiritlm_cli.language.transformers_llama import LlamaForCausalLM, as_weights, new_network
from spiritlm_cli.third_party import hide_broken_torchaudio

with hide_broken_torchaudio():
    from transformers import AutoConfig, AutoModelForCausalLM

CPU, META = torch.device("cpu"), torch.device("meta")
CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "vocab_size": 50,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32,
    "rope_theta": 1e5,
}
IDS = torch.arange(9)
# Parameters of scaled rotary embeddings, under transformers' names.
LINEAR: dict[str, Any] = {"rope_type": "linear", "factor": 2.0}
LLAMA3: dict[str, Any] = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}  # fmt: skip
YARN: dict[str, Any] = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8}
LONG: dict[str, Any] = {
    "rope_type": "longrope", "short_factor": [1.0, 1.0], "long_factor": [1.5, 3.0],
    "original_max_position_embeddings": 8,
}  # fmt: skip
PROPORTIONAL: dict[str, Any] = {"rope_type": "proportional", "factor": 2.0}
# Changes of CONFIG whose network computes something else.
VARIANTS: dict[str, dict[str, Any]] = {
    "linear": {"rope_scaling": LINEAR},
    "linear, old keys": {"rope_scaling": {"type": "linear", "factor": 2}},
    "llama3": {"rope_scaling": LLAMA3},
    "llama3, new keys": {"rope_theta": None, "rope_parameters": LLAMA3 | {"rope_theta": 5e5}},
    "yarn": {"rope_scaling": YARN},
    "yarn, length outside": {
        "rope_scaling": {"rope_type": "yarn", "factor": 4.0},
        "original_max_position_embeddings": 8,
    },
    "longrope": {"rope_scaling": LONG},
    "proportional": {"rope_scaling": PROPORTIONAL},
    "proportional, half": {"rope_scaling": PROPORTIONAL, "partial_rotary_factor": 0.5},
    "theta in both places": {"rope_parameters": {"rope_type": "default", "rope_theta": 3.0}},
    "scaling in both places": {"rope_scaling": LINEAR, "rope_parameters": LLAMA3},
    "gelu": {"hidden_act": "gelu"},
    "tanh gelu": {"hidden_act": "gelu_pytorch_tanh"},
    "relu": {"hidden_act": "relu"},
    "activation with parameters": {"hidden_act": "prelu"},
    "biases": {"attention_bias": True, "mlp_bias": True},
    "head_dim": {"head_dim": 8},
    "one key-value head": {"num_key_value_heads": 1},
    "no grouped heads": {"num_key_value_heads": None},
    "epsilon": {"rms_norm_eps": 0.5},
    "tied": {"tie_word_embeddings": True},
    "all": {
        "rope_scaling": LLAMA3, "hidden_act": "gelu", "attention_bias": True, "mlp_bias": True, "head_dim": 8,
        "tie_word_embeddings": True,
    },
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A network with large weights, so that errors are visible."""
    torch.manual_seed(0)
    network = new_network(**CONFIG)
    tensors = {name: t if "norm" in name else 20 * t for name, t in network.state_dict().items()}
    write_tensors(tmp_path / "model.safetensors", tensors)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    return tmp_path


def variant_config(change: dict[str, Any]) -> dict[str, Any]:
    # a copy, because transformers changes the dictionaries of a configuration
    return json.loads(json.dumps({k: v for k, v in (CONFIG | change).items() if v is not None}))  # type: ignore[no-any-return]


def write_variant(folder: Path, change: dict[str, Any]) -> LlamaForCausalLM:
    """Write a network with random weights to a folder. Returns it."""
    torch.manual_seed(0)
    network = new_network(**variant_config(change))
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter)
    # a file has no two tensors in the same memory, as those of a tied head are
    tensors = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    write_tensors(folder / "model.safetensors", tensors)
    (folder / "config.json").write_text(json.dumps(variant_config(change)))
    return network.eval()


def change_config(folder: Path, **change: Any) -> None:
    (folder / "config.json").write_text(json.dumps(CONFIG | change))


@torch.inference_mode()
def logits_of(weights: LlamaWeights) -> Tensor:
    packed = PackedLlama(weights)
    return packed.last_logits(packed.hidden_states([IDS[: end + 1] for end in range(len(IDS))]))


@torch.inference_mode()
def test_loaded_weights_compute_what_transformers_computes(folder: Path) -> None:
    network = new_network(**CONFIG)
    network.load_state_dict(read_tensors(folder / "model.safetensors").tensors)
    expected = network.eval()(input_ids=IDS[None]).logits[0]
    torch.testing.assert_close(
        logits_of(load_weights(folder, CPU, torch.float32)), expected, rtol=1e-4, atol=1e-4
    )


@torch.inference_mode()
@pytest.mark.parametrize("name", VARIANTS)
def test_variants_compute_what_transformers_computes(tmp_path: Path, name: str) -> None:
    network = write_variant(tmp_path, VARIANTS[name])
    expected = network(input_ids=IDS[None]).logits[0]
    logits = logits_of(load_weights(tmp_path, CPU, torch.float32))
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)
    assert torch.equal(logits_of(as_weights(network)), logits)
    # the key that is tested changes the result
    if name != "no grouped heads":
        (tmp_path / "default").mkdir()
        write_variant(tmp_path / "default", {})
        default = logits_of(load_weights(tmp_path / "default", CPU, torch.float32))
        assert (logits - default).abs().max() > 0.01


@torch.inference_mode()
@pytest.mark.parametrize("name", VARIANTS)
def test_variants_do_not_depend_on_the_batch(tmp_path: Path, name: str) -> None:
    write_variant(tmp_path, VARIANTS[name])
    packed = PackedLlama(load_weights(tmp_path, CPU, torch.float32))
    sequences = [IDS, IDS[:1], IDS[3:8], torch.arange(31)]
    alone = [packed.hidden_states([ids])[0] for ids in sequences]
    for order in ((0, 1, 2, 3), (3, 1, 0, 2)):
        batch = packed.hidden_states([sequences[index] for index in order])
        assert all(torch.equal(hidden, alone[index]) for hidden, index in zip(batch, order, strict=True))
    # a sequence in two parts
    caches = [packed.new_cache()]
    parts = [packed.hidden_states([ids], caches)[0] for ids in (sequences[3][:5], sequences[3][5:])]
    torch.testing.assert_close(torch.cat(parts), alone[3], rtol=1e-4, atol=1e-4)


# The biases of attention are not those that keys of LLaMA's configuration ask for.
QWEN = {"model_type": "qwen2", "use_sliding_window": False, "sliding_window": 8, "max_window_layers": 1}
MISTRAL = {"model_type": "mistral", "head_dim": 8, "sliding_window": None}


@torch.inference_mode()
@pytest.mark.parametrize(
    "change",
    [
        QWEN,
        QWEN | {"tie_word_embeddings": True, "attention_bias": True, "mlp_bias": True},
        QWEN | {"rope_scaling": YARN},
        MISTRAL,
        MISTRAL | {"sliding_window": CONFIG["max_position_embeddings"], "attention_bias": True},
    ],
)
def test_qwen_and_mistral_compute_what_transformers_computes(tmp_path: Path, change: dict[str, Any]) -> None:
    values = variant_config(change)
    network = AutoModelForCausalLM.from_config(AutoConfig.for_model(**values)).eval()
    torch.manual_seed(0)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter)
    tensors = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    write_tensors(tmp_path / "model.safetensors", tensors)
    (tmp_path / "config.json").write_text(json.dumps(variant_config(change)))
    packed = PackedLlama(load_weights(tmp_path, CPU, torch.float32))
    sequences = [IDS, IDS[:1], torch.arange(31)]
    alone = [packed.hidden_states([ids])[0] for ids in sequences]
    for ids, hidden, batch in zip(sequences, alone, packed.hidden_states(sequences), strict=True):
        assert torch.equal(batch, hidden)
        logits = packed.last_logits([hidden[: end + 1] for end in range(len(ids))])
        expected = network(input_ids=ids[None]).logits[0]
        torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)
    assert torch.equal(logits_of(as_weights(network)), logits_of(load_weights(tmp_path, CPU, torch.float32)))


@pytest.mark.parametrize(
    "change",
    [
        QWEN | {"use_sliding_window": True},
        MISTRAL | {"sliding_window": 8},
        {"model_type": "mistral", "max_position_embeddings": 8192},
    ],
)
def test_a_sliding_window_is_refused(folder: Path, change: dict[str, Any]) -> None:
    change_config(folder, **change)
    with pytest.raises(CheckpointError, match=r"config\.json: attention with a sliding window"):
        load_weights(folder, CPU, torch.float32)


@torch.inference_mode()
def test_dynamic_scaling_changes_nothing_within_the_context(folder: Path) -> None:
    expected = logits_of(load_weights(folder, CPU, torch.float32))
    change_config(folder, rope_scaling={"type": "dynamic", "factor": 2.0})
    config = read_config(folder / "config.json")
    assert config.rope_scaling == {"rope_type": "dynamic", "factor": 2.0}
    network = new_network(**variant_config({"rope_scaling": {"type": "dynamic", "factor": 2.0}}))
    network.load_state_dict(read_tensors(folder / "model.safetensors").tensors)
    logits = logits_of(load_weights(folder, CPU, torch.float32))
    torch.testing.assert_close(logits, network.eval()(input_ids=IDS[None]).logits[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)


def test_weights_have_transformers_names_and_values(folder: Path) -> None:
    stored = read_tensors(folder / "model.safetensors").tensors
    weights = load_weights(folder, CPU, torch.bfloat16).state_dict()
    assert set(weights) == set(stored)
    assert all(torch.equal(weights[name], stored[name].bfloat16()) for name in stored)


@pytest.mark.parametrize("bias", [{"attention_bias": True}, {"mlp_bias": True}, {"head_dim": 8}])
def test_optional_parameters_are_transformers(bias: dict[str, Any]) -> None:
    expected = {name: tensor.shape for name, tensor in new_network(**CONFIG, **bias).state_dict().items()}
    with META:
        weights = LlamaWeights(LlamaConfig(**CONFIG, **bias))
    assert {name: tensor.shape for name, tensor in weights.state_dict().items()} == expected


@torch.inference_mode()
@pytest.mark.parametrize("stored", [True, False])
def test_a_tied_head_is_the_embedding(folder: Path, stored: bool) -> None:
    tensors = read_tensors(folder / "model.safetensors").tensors
    if not stored:
        del tensors["lm_head.weight"]
        write_tensors(folder / "model.safetensors", tensors)
    change_config(folder, tie_word_embeddings=True)
    weights = load_weights(folder, CPU, torch.float32)
    assert weights.lm_head.weight is weights.model.embed_tokens.weight
    assert torch.equal(weights.lm_head.weight, tensors["model.embed_tokens.weight"])


def test_read_config_of_transformers_4_and_5(folder: Path) -> None:
    path = folder / "config.json"
    expected = read_config(path)
    old = {"rope_scaling": None, "pad_token_id": -1, "torch_dtype": "float16", "pretraining_tp": 1}
    change_config(folder, **old)
    assert read_config(path) == expected
    new = {key: value for key, value in CONFIG.items() if key != "rope_theta"}
    new |= {"rope_parameters": {"rope_theta": 1e5, "rope_type": "default"}, "dtype": "float16"}
    path.write_text(json.dumps(new))
    assert read_config(path) == expected
    path.write_text(json.dumps(new | {"head_dim": 4}))
    assert read_config(path).dim_of_head == expected.dim_of_head == 4


def test_nothing_is_printed_about_the_old_pad_token(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    change_config(folder, pad_token_id=-1)
    load_weights(folder, CPU, torch.float32)
    assert capfd.readouterr() == ("", "")


def test_stored_rotary_frequencies_are_ignored(folder: Path) -> None:
    tensors = read_tensors(folder / "model.safetensors").tensors
    tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.zeros(2)
    write_tensors(folder / "model.safetensors", tensors)
    load_weights(folder, CPU, torch.float32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "gemma"}, "model_type is 'gemma', expected one of llama, mistral, qwen2"),
        ({"hidden_act": "nonsense"}, "hidden_act is 'nonsense', expected one of .*silu"),
        ({"hidden_size": "16"}, "hidden_size is '16', expected int"),
        ({"hidden_size": -4}, "hidden_size: -4 is outside of 1 to"),
        ({"num_attention_heads": 3}, "3 heads don't divide the hidden size of 16"),
        ({"num_attention_heads": 0}, "num_attention_heads: 0 is outside of 1 to"),
        ({"num_hidden_layers": 0}, "num_hidden_layers: 0 is outside of 1 to"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers: 1000000000 is outside of 1 to 1024"),
        ({"max_position_embeddings": 2 * 10**8}, "max_position_embeddings: 200000000 is outside of"),
        ({"rope_scaling": LINEAR | {"factor": float("nan")}}, "rope_scaling: nan is outside of"),
        (
            {"rope_scaling": {"rope_type": "default", "partial_rotary_factor": 1e9}},
            "partial_rotary_factor: 1",
        ),
        ({"num_key_value_heads": 3}, "3 key-value heads don't divide 4"),
        ({"head_dim": 3}, "head_dim must be even, not 3"),
        ({"rope_parameters": {"rope_type": "nonsense"}}, "rope_type is 'nonsense', expected one of .*llama3"),
        (
            {"rope_scaling": {"type": ["linear"]}},
            r"rope_scaling is {'rope_type': \['linear'\]}, expected dict",
        ),
        ({"rope_scaling": "linear"}, "rope_scaling is 'linear', expected dict"),
        ({"rope_scaling": {"type": "linear"}}, "rope_scaling is .*'linear'.*'factor'"),
        ({"rope_scaling": LINEAR | {"factor": "2"}}, "rope_scaling is .*'factor': '2'"),
        ({"rope_scaling": LINEAR | {"factor": 0.0}}, "rope_scaling is .*must give 2 finite frequencies"),
        (
            {"rope_scaling": LINEAR | {"partial_rotary_factor": 0.5}},
            "rope_scaling is .*must give 2 finite frequencies",
        ),
    ],
)
def test_read_config_names_what_is_wrong(folder: Path, change: dict[str, Any], message: str) -> None:
    change_config(folder, **change)
    with pytest.raises(CheckpointError, match=rf"config\.json: .*({message})"):
        load_weights(folder, CPU, torch.float32)


def test_read_config_does_not_guess_a_missing_size(folder: Path) -> None:
    config = {key: value for key, value in CONFIG.items() if key != "num_attention_heads"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"config\.json: .*missing key 'num_attention_heads'"):
        load_weights(folder, CPU, torch.float32)


def test_load_weights_names_what_is_wrong(folder: Path) -> None:
    change_config(folder, intermediate_size=25)
    with pytest.raises(
        CheckpointError,
        match=r"safetensors: model\.layers\.0\.mlp\.down_proj\.weight is \(16, 24\), expected",
    ):
        load_weights(folder, CPU, torch.float32)
    change_config(folder)
    tensors = read_tensors(folder / "model.safetensors").tensors
    del tensors["model.norm.weight"]
    write_tensors(folder / "model.safetensors", tensors)
    with pytest.raises(CheckpointError, match=r"model\.safetensors: missing tensor model\.norm\.weight"):
        load_weights(folder, CPU, torch.float32)


@torch.inference_mode()
def test_layers_go_to_several_devices(folder: Path) -> None:
    expected = logits_of(load_weights(folder, CPU, torch.float32))
    assert torch.equal(logits_of(load_weights(folder, [CPU, CPU], torch.float32)), expected)
    weights = load_weights(folder, [CPU, META], torch.bfloat16)
    devices = {name: parameter.device for name, parameter in weights.named_parameters()}
    on_first = {name for name, device in devices.items() if device == CPU}
    assert on_first == {n for n in devices if n.startswith(("model.embed_tokens.", "model.layers.0."))}


def test_a_tied_head_goes_with_the_last_layer(folder: Path) -> None:
    change_config(folder, tie_word_embeddings=True)
    weights = load_weights(folder, [CPU, META], torch.float32)
    assert weights.model.embed_tokens.weight.device == CPU
    assert weights.lm_head.weight.device == META
    assert PackedLlama(weights).device == CPU


def test_weights_do_not_share_memory_with_their_files(folder: Path) -> None:
    """Packing a layer frees the memory of the weights that it replaces."""
    for dtype in (torch.float32, torch.bfloat16):
        for parameter in load_weights(folder, CPU, dtype).parameters():
            assert parameter.untyped_storage().nbytes() == parameter.nbytes
