"""HuBERTs of fairseq and of checkpoints: their tensors and features after conversion, and what is refused."""

import json
import os
import resource
from pathlib import Path
from typing import Any

import fairseq_checkpoint as fairseq
import pytest
import torch
from open_models import HUBERT, HUBERT_CONFIG, KMEANS
from safetensors.torch import load_file

from spiritlm_cli.checkpoints.checkpoint import NANO, Checkpoint
from spiritlm_cli.checkpoints.convert import convert
from spiritlm_cli.checkpoints.tensors import write_tensors
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.speech.hubert import Hubert, HubertTask, release_content
from spiritlm_cli.speech.hubert import HubertConfig as HubertRelease
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.third_party import hide_broken_torchaudio
from spiritlm_cli.training.hubert_model import Pretraining

with hide_broken_torchaudio():
    from transformers import AutoFeatureExtractor, AutoModel, HubertConfig, HubertModel


@pytest.fixture(scope="module")
def tensors(twist_folder: Path) -> dict[str, torch.Tensor]:
    """Those of TWIST's HuBERT, under the names of transformers."""
    return load_file(twist_folder / HUBERT / "model.safetensors")


def converted(path: Path, out: Path) -> tuple[dict[str, torch.Tensor], list[str]]:
    messages: list[str] = []
    assert convert(str(path), out, notify=messages.append).files_written == 3
    return load_file(out / "model.safetensors"), messages


def assert_same(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], tensor) for name, tensor in theirs.items())
    assert {tensor.dtype for tensor in ours.values()} == {tensor.dtype for tensor in theirs.values()}


@pytest.mark.parametrize("form", ["plain", "omegaconf", "args"])
@pytest.mark.parametrize("legacy", [False, True])
def test_convert_keeps_tensors_of_fairseq(
    tmp_path: Path, tensors: dict[str, torch.Tensor], form: str, legacy: bool
) -> None:
    path = tmp_path / "mhubert.pt"
    fairseq.save(path, fairseq.with_heads(fairseq.fairseq_names(tensors)), form, legacy=legacy)
    ours, messages = converted(path, tmp_path / "out")
    assert_same(ours, tensors)
    assert messages[0] == (
        "left out: final_proj.bias, final_proj.weight, label_embs_concat: for pre-training alone"
    )
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    sizes = {
        key: value for key, value in HUBERT_CONFIG.items() if "dropout" not in key and key != "vocab_size"
    }
    assert {key: config[key] for key in sizes} == sizes
    assert convert(str(path), tmp_path / "out").files_written == 0
    (tmp_path / "out" / "converted.json").unlink()
    with pytest.raises(CheckpointError, match="holds something else"):
        convert(str(path), tmp_path / "out")


def test_convert_keeps_half_precision(tmp_path: Path, tensors: dict[str, torch.Tensor]) -> None:
    half = {name: tensor.half() for name, tensor in tensors.items()}
    fairseq.save(tmp_path / "half.pt", fairseq.fairseq_names(half))
    assert_same(converted(tmp_path / "half.pt", tmp_path / "out")[0], half)
    assert HubertModel.from_pretrained(tmp_path / "out").dtype == torch.float32


@pytest.mark.parametrize("layer_norms", [False, True])
def test_features_are_those_of_transformers(tmp_path: Path, layer_norms: bool) -> None:
    """With norms as HuBERT base has them, and as HuBERT large; layers are narrow."""
    torch.manual_seed(0)
    config = HubertConfig(
        **{key: value for key, value in HUBERT_CONFIG.items() if key not in ("architectures", "model_type")}
        | {
            "num_hidden_layers": 2,
            "conv_bias": layer_norms,
            "feat_extract_norm": "layer" if layer_norms else "group",
            "do_stable_layer_norm": layer_norms,
        }
    )
    model = HubertModel(config).eval()
    settings = {
        "layer_norm_first": layer_norms,
        "extractor_mode": "layer_norm" if layer_norms else "default",
        "activation_fn": "gelu",
    }
    state = fairseq.fairseq_names(model.state_dict(), layer_norms)
    fairseq.save(tmp_path / "model.pt", state, "omegaconf", settings, {"normalize": layer_norms})
    converted(tmp_path / "model.pt", tmp_path / "out")
    loaded = HubertModel.from_pretrained(tmp_path / "out").eval()
    waveform = torch.randn(2, 4000)
    with torch.no_grad():
        expected, actual = (m(waveform, output_hidden_states=True).hidden_states for m in (model, loaded))
    for ours, theirs in zip(actual, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)
    extractor = AutoFeatureExtractor.from_pretrained(tmp_path / "out")
    assert (extractor.do_normalize, extractor.sampling_rate) == (layer_norms, 16000)


def test_converted_files_make_a_tokenizer(
    tmp_path: Path,
    tensors: dict[str, torch.Tensor],
    twist_folder: Path,
    data: Path,
    clips: dict[str, Waveform],
) -> None:
    """fairseq's HuBERT and scikit-learn's k-means give the units that transformers and scikit-learn compute."""
    answer = json.loads((data / "open_models.json").read_text())["units"]["short"]
    fairseq.save(tmp_path / "mhubert.pt", fairseq.with_heads(fairseq.fairseq_names(tensors)), "args")
    folder = tmp_path / "tokenizer"
    convert(str(tmp_path / "mhubert.pt"), folder / HUBERT)
    kmeans = (folder / KMEANS).with_suffix(".safetensors")
    assert convert(str(twist_folder / KMEANS), kmeans).output == kmeans
    whole = clips["whole"]
    clip = Waveform(whole.samples[answer["first_sample"] : answer["last_sample"]], whole.rate)
    units = SpeechTokenizer.load(str(folder), expressive=False, device="cpu").encode(clip)
    assert units.hubert.tolist() == answer["hubert"]


def assert_features_of_transformers(file: Path, out: Path, waveform: torch.Tensor) -> None:
    """Convert a checkpoint's HuBERT, and compare the features of all layers with those of the file."""
    converted(file, out)
    assert AutoFeatureExtractor.from_pretrained(out).do_normalize is False
    hubert = Hubert.load(file)
    model = AutoModel.from_pretrained(out).eval()
    with torch.no_grad():
        states = model(hubert.prepare([waveform])[0][None], output_hidden_states=True).hidden_states
    for layer in (1, len(states) - 1):
        ours = Hubert.load(file, layer)([waveform])[0]
        torch.testing.assert_close(states[layer][0], ours, atol=2e-5, rtol=0)
        assert torch.equal(Hubert.load(out, layer)([waveform])[0], ours)


@pytest.mark.parametrize("model", ["nano", "release"])
def test_features_of_a_checkpoint_are_those_of_transformers(
    tmp_path: Path, model: str, release_tree: Path, clips: dict[str, Waveform]
) -> None:
    waveform = torch.from_numpy(clips["whole"].samples[:32000])
    file = Checkpoint(NANO if model == "nano" else release_tree, model).hubert
    assert_features_of_transformers(file, tmp_path / "out", waveform)


@pytest.mark.parametrize("channels", [32, 16])
@pytest.mark.parametrize("padding", [0, 40])
def test_features_with_padding_and_without_a_projection(tmp_path: Path, channels: int, padding: int) -> None:
    """Between equal widths there is no projection. At 50 frames per second."""
    torch.manual_seed(0)
    config = HubertRelease(
        encoder_layers=2, encoder_embed_dim=32, encoder_ffn_embed_dim=64, encoder_attention_heads=4,
        conv_feature_layers=f"[({channels}, 10, 5)] + [({channels}, 3, 2)] * 4 + [({channels}, 2, 2)] * 2",
        conv_pos=16, conv_pos_groups=4, label_rate=50.0,
    )  # fmt: skip
    pretraining = Pretraining(config, 5)
    pretraining.hubert.task = HubertTask(label_rate=50.0, padding=padding)
    tensors, content = release_content(pretraining.hubert)
    path = tmp_path / "mhubert_base_50hz.safetensors"
    write_tensors(path, tensors | {"mask_emb": pretraining.mask}, content)
    assert_features_of_transformers(path, tmp_path / "out", torch.randn(4000))
    again = Pretraining.load(tmp_path / "out", 5, rate=50)
    assert again.hubert.config.label_rate == 50
    assert torch.equal(again.mask, pretraining.mask)


def test_convert_of_a_file_that_is_no_hubert(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="not a HuBERT that fairseq pre-trained, nor that of a check"):
        convert(str(Checkpoint(NANO, "nano").quantizer), tmp_path / "out")


def test_convert_of_fairseq_on_a_full_disk(tmp_path: Path, tensors: dict[str, torch.Tensor]) -> None:
    """The limit on the size of a file stands for the disk. The conversion continues when there is room."""
    fairseq.save(tmp_path / "m.pt", fairseq.fairseq_names(tensors))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(CheckpointError, match=r"model\.safetensors: can't be written .*File too large"):
            convert(str(tmp_path / "m.pt"), tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / "out" / "model.safetensors").exists()
    result = convert(str(tmp_path / "m.pt"), tmp_path / "out")
    assert (result.files_written, result.files_kept) == (1, 2)


def test_convert_of_fairseq_runs_no_code(tmp_path: Path, tensors: dict[str, torch.Tensor]) -> None:
    marker = tmp_path / "marker"

    class RunsCode:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(marker),)

    state = fairseq.fairseq_names(tensors)
    for legacy in (False, True):
        for model, settings in ((state | {"x": RunsCode()}, {}), (state, {"encoder_layers": RunsCode()})):
            fairseq.save(tmp_path / "m.pt", model, model_cfg=settings, legacy=legacy)
            with pytest.raises(CheckpointError, match=r"m\.pt: .*(mkdir|not as torch)"):
                convert(str(tmp_path / "m.pt"), tmp_path / "out")
    assert not marker.exists()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("code", ["builtins.eval", "fairseq_evil.run", "omegaconfig.x", "argparse.FileType"])
def test_convert_of_fairseq_knows_few_names(tmp_path: Path, code: str) -> None:
    module, _, name = code.rpartition(".")
    with fairseq.fake_modules(module) as make:
        import sys

        kind = getattr(sys.modules[module], name, None) or make(module, name)

        class Calls:
            def __reduce__(self) -> tuple[Any, ...]:
                return kind, ("1",)

        torch.save({"model": {}, "x": Calls()}, tmp_path / "m.pt")
    with pytest.raises(CheckpointError, match=r"m\.pt: .*only tensors and plain values are read"):
        convert(str(tmp_path / "m.pt"), tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        ({"w": torch.ones(1)}, {}, "unexpected tensor w"),
        ({"mask_emb": None}, {}, "missing tensor masked_spec_embed"),
        ({"encoder.layers.3.fc2.bias": None}, {}, r"missing tensor encoder\.layers\.3\.feed_forward"),
        ({"layer_norm.bias": torch.ones(3)}, {}, r"layer_norm\.bias is \(3,\), expected \(32,\)"),
        ({"layer_norm.bias": torch.ones(32, dtype=torch.int64)}, {}, r"layer_norm\.bias is int64"),
        ({"layer_norm.bias": torch.full((32,), torch.nan)}, {}, "infinite or not a number"),
        ({"encoder.pos_conv.0.weight_v": None}, {}, r"encoder\.pos_conv\.0\.weight_v is missing"),
        ({"encoder.layers.0.fc1.weight": None}, {}, "not a HuBERT that fairseq pre-trained"),
        ({}, {"conv_feature_layers": "[(32, 10, 5)]"}, "unexpected tensor"),
        ({}, {"encoder_attention_heads": 5}, "5 heads or 4 groups don't divide a width of 32"),
    ],
)
def test_convert_of_fairseq_names_what_is_wrong(
    tmp_path: Path,
    tensors: dict[str, torch.Tensor],
    change: dict[str, torch.Tensor | None],
    settings: dict[str, Any],
    message: str,
) -> None:
    state = fairseq.fairseq_names(tensors) | change
    state = {name: tensor for name, tensor in state.items() if tensor is not None}
    fairseq.save(tmp_path / "m.pt", state, model_cfg=settings)
    with pytest.raises(CheckpointError, match=rf"m\.pt: .*{message}"):
        convert(str(tmp_path / "m.pt"), tmp_path / "out")
    assert not (tmp_path / "out" / "model.safetensors").exists()
