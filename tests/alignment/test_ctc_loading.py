"""Hostile folders of CTC models: code, sizes, and weights that don't fit."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from ctc_fixtures import LABELS, LETTERS, TINY, write_folder

from spiritlm_cli.alignment.ctc_labels import Vocabulary
from spiritlm_cli.alignment.ctc_loading import FAMILY, load_extractor, load_network, read_vocabulary
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.third_party import hide_broken_torchaudio

with hide_broken_torchaudio():
    from transformers import CONFIG_MAPPING, MODEL_FOR_CTC_MAPPING, Wav2Vec2Config, Wav2Vec2ForCTC

CODE = "from pathlib import Path\nPath('ran').touch()\n"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("ctc")
    write_folder(folder, Wav2Vec2ForCTC(Wav2Vec2Config(**TINY)))
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    return Path(shutil.copytree(original, tmp_path / "ctc"))


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_load_runs_no_code_of_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "stdin", None)  # nothing is asked
    (folder / "evil.py").write_text(CODE)
    expected = load_network(folder).state_dict()
    change(
        folder / "config.json",
        auto_map={"AutoConfig": "evil.Config", "AutoModelForCTC": "evil.Model"},
        architectures=["evil.Model"],
        attn_implementation="kernels-community/flash-attn",
        _attn_implementation="kernels-community/flash-attn",
        _attn_implementation_internal="kernels-community/flash-attn",
        _experts_implementation="kernels-community/moe",
        quantization_config={"quant_method": "bitsandbytes", "load_in_8bit": True},
        fusion_config={"any": True},
        transformers_weights="../other.safetensors",
        dtype="float16",
        torch_dtype="evil",
        use_kernels=True,
    )
    for name in ("preprocessor_config.json", "tokenizer_config.json"):
        change(
            folder / name,
            auto_map={"AutoFeatureExtractor": "evil.E", "AutoTokenizer": ["evil.T", None]},
            feature_extractor_type="evil.E",
            tokenizer_class="evil.T",
        )
    network = load_network(folder)
    assert load_extractor(folder).sampling_rate == 16000
    assert read_vocabulary(folder, 0) == Vocabulary(LETTERS, 0, 4)
    assert not (folder / "ran").exists()
    assert "evil" not in sys.modules
    assert network.config._attn_implementation in ("sdpa", "eager")
    assert network.dtype == torch.float32
    assert all(torch.equal(tensor, expected[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("model_type", FAMILY)
def test_load_network_reads_each_kind(model_type: str, tmp_path: Path) -> None:
    sizes = TINY | {
        "conv_pos_kernel_size": 3,
        "squeeze_factor": 1,
        "codevector_dim": 8,
        "num_codevectors_per_group": 4,
    }
    config_class = CONFIG_MAPPING[model_type]
    sizes["conv_dim"] = [8] * len(config_class.conv_stride)
    network = MODEL_FOR_CTC_MAPPING[config_class](
        config_class(**{name: value for name, value in sizes.items() if hasattr(config_class, name)})
    )
    network.save_pretrained(tmp_path)
    loaded = load_network(tmp_path)
    assert type(loaded) is type(network)
    values = loaded.state_dict()
    assert all(torch.equal(tensor, values[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model_type": "llama"}, "model_type is 'llama', expected one of"),
        ({"model_type": ["hubert"]}, r"model_type is \['hubert'\], expected str"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers: 1000000000 is outside of 1 to 1024"),
        ({"hidden_size": 1 << 19}, "describes .* weights, and model.safetensors has"),
        ({"hidden_size": "16"}, "hidden_size is '16', expected"),
        ({"conv_stride": [5, 2, 2, 2, 2, 2, 0]}, "conv_stride: 0 is outside"),
        ({"conv_kernel": [10, 3]}, "conv_kernel"),
        ({"num_attention_heads": 3}, "heads"),
        ({"mask_time_length": float("nan")}, "others: nan is outside"),
        ({"hidden_act": "evil"}, "evil"),
        ({"layerdrop": {"a": 1}}, "others is"),
    ],
)
def test_load_network_refuses_values(folder: Path, values: dict[str, Any], message: str) -> None:
    change(folder / "config.json", **values)
    with pytest.raises(CheckpointError, match=rf"config\.json: .*{message}"):
        load_network(folder)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("preprocessor_config.json", {"sampling_rate": 0}, "sampling_rate: 0 is outside"),
        ("preprocessor_config.json", {"do_normalize": "yes"}, "do_normalize is 'yes', expected bool"),
        ("vocab.json", {"A": -1}, "letters and their labels"),
        ("vocab.json", {"A": "1"}, "letters and their labels"),
        ("vocab.json", {"A": 10**9}, "letters and their labels"),
    ],
)
def test_other_files_are_checked(folder: Path, name: str, values: dict[str, Any], message: str) -> None:
    change(folder / name, **values)
    with pytest.raises(CheckpointError, match=rf"{name}: .*{message}"):
        load_extractor(folder) and read_vocabulary(folder, 0)


def test_read_vocabulary_of_a_language(folder: Path) -> None:
    (folder / "vocab.json").write_text(json.dumps({"eng": LABELS, "deu": {"Ä": 1}}))
    change(folder / "tokenizer_config.json", target_lang="eng", word_delimiter_token={"content": "|"})
    assert read_vocabulary(folder, None) == Vocabulary(LETTERS, 0, 4)
    change(folder / "tokenizer_config.json", target_lang="fra")
    with pytest.raises(CheckpointError, match=r"vocab\.json: expected"):
        read_vocabulary(folder, None)
