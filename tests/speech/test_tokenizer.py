"""Units against those of the published tokenizer, units in batches, and errors for bad audio and bad checkpoints."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spiritlm_cli.checkpoints.tensors import read_tensors, write_tensors
from spiritlm_cli.console import log
from spiritlm_cli.errors import AudioError, CheckpointError, SpiritLMError
from spiritlm_cli.manifests.clip import Clip, Waveform
from spiritlm_cli.speech import f0, windows
from spiritlm_cli.speech import tokenizer as module
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.sequence import Sequence
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.tokens.units import Units
from spiritlm_cli.tokens.writer import format_sequence

PARTS = (
    "hubert_25hz/mhubert_base_25hz.pt",
    "hubert_25hz/L11_quantizer_500.pt",
    "vqvae_f0_quantizer/model.pt",
    "style_encoder_w2v2/pytorch_model.bin",
)

# Few different lengths, because the convolutions are compiled for each.
LENGTHS = st.sampled_from((1280, 1281, 7_777, 15_999, 16_000, 24_001))
# Few different clips, because each is also encoded alone, once.
RANGES = st.lists(st.tuples(st.sampled_from((0, 17_777, 40_001, 90_000)), LENGTHS), min_size=1, max_size=5)
PROPERTY = settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def tokenizer(release_tree: Path) -> SpeechTokenizer:
    return SpeechTokenizer.load(str(release_tree), device="cpu")


@pytest.fixture(scope="module")
def encode_alone(tokenizer: SpeechTokenizer, clips: dict[str, Waveform]) -> Callable[[int, int], Units]:
    """Encode a stretch of the recording by itself: its first sample, its length."""
    return cache(
        lambda start, length: tokenizer.encode(Waveform(clips["whole"].samples[start:][:length], 16000))
    )


def texts(units) -> dict[str, str]:
    return {name: " ".join(map(str, getattr(units, name))) for name in ("hubert", "pitch", "style")}


@pytest.mark.parametrize("clip", ["whole", "short", "medium"])
def test_encode_equals_the_published_tokenizer(tokenizer, clips, golden, clip) -> None:
    units = tokenizer.encode(clips[clip])
    assert texts(units) == golden[clip]["units"]
    assert "".join(map(str, merge_streams(units).units)) == golden[clip]["expressive"]


@given(ranges=RANGES, budget=st.floats(0, 30))
@PROPERTY
def test_encode_batch_equals_encode(tokenizer, clips, encode_alone, ranges, budget) -> None:
    samples = clips["whole"].samples
    waveforms = [Waveform(samples[start:][:length], 16000) for start, length in ranges]
    together = tokenizer.encode_batch(waveforms, budget)
    for (start, length), units in zip(ranges, together, strict=True):
        alone = encode_alone(start, length)
        for name in ("hubert", "pitch", "style"):
            assert getattr(units, name).tolist() == getattr(alone, name).tolist()


@given(ranges=RANGES)
@PROPERTY
def test_hubert_features_in_a_batch_are_bit_identical(tokenizer, clips, ranges) -> None:
    waveforms = [torch.tensor(clips["whole"].samples[start:][:length]) for start, length in ranges]
    with torch.inference_mode():
        together = tokenizer.hubert(waveforms)
        for waveform, features in zip(waveforms, together, strict=True):
            assert torch.equal(features, tokenizer.hubert([waveform])[0])


def test_encode_batch_with_silence_beside_speech(tokenizer, clips) -> None:
    """Statistics over time come from a clip's own samples, whatever the other clips are."""
    silence, loud = np.zeros(40_000, np.float32), np.ones(30_000, np.float32)
    waveforms = [Waveform(silence, 16000), clips["short"], Waveform(loud, 16000)]
    units = tokenizer.encode_batch(waveforms, 100)[1]
    assert units.hubert.tolist() == tokenizer.encode(clips["short"]).hubert.tolist()


@pytest.mark.parametrize("keep_repeats", [False, True])
def test_tokenize_is_the_units_in_time_order(tokenizer, clips, golden, keep_repeats) -> None:
    sequence = tokenizer.tokenize(clips["medium"], keep_repeats)
    assert sequence == Sequence.of([merge_streams(tokenizer.encode(clips["medium"]), keep_repeats)])
    if not keep_repeats:
        assert format_sequence(sequence) == f"[SPEECH]{golden['medium']['expressive']}"


def test_encode_base_has_phonetic_units_only(release_tree, clips, golden) -> None:
    units = SpeechTokenizer.load(str(release_tree), expressive=False, device="cpu").encode(clips["medium"])
    assert units.pitch is None
    assert units.style is None
    assert "".join(map(str, merge_streams(units).units)) == golden["medium"]["base"]


def test_encode_with_safetensors(tree, clips, golden) -> None:
    for part in PARTS:
        path = tree / "speech_tokenizer" / part
        file = read_tensors(path)
        name = "model.safetensors" if path.suffix == ".bin" else path.with_suffix(".safetensors").name
        write_tensors(path.with_name(name), file.tensors, file.config)
        path.unlink()
    units = SpeechTokenizer.load(str(tree), device="cpu").encode(clips["medium"])
    assert texts(units) == golden["medium"]["units"]


@pytest.mark.parametrize("part", PARTS)
def test_load_names_a_missing_file(tree, part) -> None:
    path = tree / "speech_tokenizer" / part
    path.unlink()
    with pytest.raises(CheckpointError, match=path.name):
        SpeechTokenizer.load(str(tree), device="cpu")


@pytest.mark.parametrize("part", PARTS)
def test_load_names_a_truncated_file(tree, part) -> None:
    path = tree / "speech_tokenizer" / part
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CheckpointError, match=path.name):
        SpeechTokenizer.load(str(tree), device="cpu")


@pytest.mark.parametrize(
    ("part", "config", "there", "wanted"),
    [
        ("vqvae_f0_quantizer/model.pt", "vqvae_f0_quantizer/config.yaml", "width: 32", "width: 48"),
        (
            "style_encoder_w2v2/pytorch_model.bin",
            "style_encoder_w2v2/config.json",
            '"classifier_proj_size": 16',
            '"classifier_proj_size": 24',
        ),
    ],
)
def test_load_names_tensors_of_other_shapes_than_configured(tree, part, config, there, wanted) -> None:
    config_path = tree / "speech_tokenizer" / config
    config_path.write_text(config_path.read_text().replace(there, wanted))
    with pytest.raises(CheckpointError, match=rf"{Path(part).name}: .* expected \(.*{wanted[-2:]}"):
        SpeechTokenizer.load(str(tree), device="cpu")


def test_load_refuses_a_quantizer_of_other_features(tree) -> None:
    path = tree / "speech_tokenizer/hubert_25hz/L11_quantizer_500.pt"
    write_tensors(path.with_suffix(".safetensors"), {"cluster_centers": torch.zeros(5, 31)})
    path.unlink()
    with pytest.raises(CheckpointError, match=r"L11_quantizer_500.*width 31, .*mhubert_base_25hz\.pt are 32"):
        SpeechTokenizer.load(str(tree), device="cpu")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("encoder_attention_heads", 5, "5 heads don't divide a width of 32"),
        ("encoder_embed_dim", "32", "encoder_embed_dim is '32', expected int"),
        ("encoder_embed_dim", 2**20, "expected \\("),
        ("conv_feature_layers", "[(8, 3, 2)] * 100 * 100 * 100 * 100", "too long a list"),
        ("conv_feature_layers", "__import__('os').abort()", "not a list of"),
        ("conv_pos_groups", 0, "groups"),
    ],
)
def test_load_refuses_sizes_that_no_hubert_has(tree, key, value, message) -> None:
    path = tree / "speech_tokenizer/hubert_25hz/mhubert_base_25hz.pt"
    content = torch.load(path, weights_only=True)
    content["model_cfg"][key] = value
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=rf"mhubert_base_25hz\.pt: .*{message}"):
        SpeechTokenizer.load(str(tree), device="cpu")


def test_load_names_an_unknown_key(tree) -> None:
    path = tree / "speech_tokenizer/vqvae_f0_quantizer/config.yaml"
    path.write_text(path.read_text() + "colour: blue\n")
    with pytest.raises(CheckpointError, match=r"config\.yaml.*'colour'"):
        SpeechTokenizer.load(str(tree), device="cpu")


@pytest.mark.parametrize("samples", [0, 160, 1279])
def test_encode_refuses_clips_under_80_ms(tokenizer, samples) -> None:
    with pytest.raises(AudioError, match=rf"too short: {samples // 16} ms.*80 ms"):
        tokenizer.encode(Waveform(np.zeros(samples, np.float32), 16000))


def test_encode_of_80_ms_has_one_unit_of_each_kind(tokenizer) -> None:
    units = tokenizer.encode(Waveform(np.zeros(1280, np.float32), 16000))
    assert [len(units.hubert), len(units.pitch), len(units.style)] == [1, 1, 1]


def test_encode_refuses_another_rate(tokenizer) -> None:
    with pytest.raises(AudioError, match="44100 Hz; the tokenizer takes 16000 Hz"):
        tokenizer.encode(Waveform(np.zeros(44100, np.float32), 44100))


def test_encode_refuses_nan(tokenizer) -> None:
    with pytest.raises(AudioError, match="not a number"):
        tokenizer.encode(Waveform(np.full(16000, np.nan, np.float32), 16000))


def test_encode_refuses_integers_stored_as_floats(tokenizer, clips) -> None:
    samples = clips["short"].samples
    with pytest.raises(
        AudioError, match=r"samples of [\d.]+, where full scale is 1; divide 16-bit values by 32768"
    ):
        tokenizer.encode(Waveform(samples * np.float32(32768), 16000))


def test_encode_of_samples_over_full_scale_has_the_units_of_full_scale(tokenizer, clips) -> None:
    samples = clips["medium"].samples
    full = samples / np.abs(samples).max()
    units, louder = (tokenizer.encode(Waveform(full * np.float32(gain), 16000)) for gain in (1, 8))
    assert louder.pitch.tolist() == units.pitch.tolist()
    assert len(set(units.pitch.tolist())) > 1


def test_encode_stream_warns_of_quiet_clips(tokenizer, clips, tmp_path, caplog, monkeypatch) -> None:
    monkeypatch.setattr(log, "propagate", True)
    caplog.set_level("WARNING", log.name)
    for name, gain in (("quiet", 0.005), ("normal", 1), ("silent", 0)):
        soundfile.write(tmp_path / f"{name}.wav", clips["short"].samples * gain, 16000, subtype="FLOAT")
    for _, outcome in tokenizer.encode_stream([Clip(path.stem, path) for path in sorted(tmp_path.iterdir())]):
        assert outcome.result()
    # files are read by several threads
    quiet, silent = sorted(record.getMessage() for record in caplog.records)
    assert quiet.startswith("quiet: its largest sample is")
    assert silent == "silent: all of its samples are 0; its units are those of silence"


def test_encode_in_windows_drops_a_remainder_under_80_ms(tokenizer, clips, monkeypatch) -> None:
    second = clips["whole"].samples[:16000]
    once = tokenizer.encode(Waveform(second, 16000))
    for target in (module, windows, f0):
        monkeypatch.setattr(target, "WINDOW_SAMPLES", 16000)
    units = tokenizer.encode(Waveform(np.concatenate([second, second, second[:1000]]), 16000))
    assert units.hubert.tolist() == once.hubert.tolist() * 2
    assert units.style.tolist() == once.style.tolist() * 2
    assert len(units.pitch) == (33000 // 80 + 1) // 16


def test_encode_takes_read_only_and_strided_arrays(tokenizer, clips, golden) -> None:
    doubled = np.repeat(clips["short"].samples, 2)
    doubled.flags.writeable = False
    units = tokenizer.encode(Waveform(doubled[::2], 16000))
    assert texts(units) == golden["short"]["units"]


def test_encode_does_not_write_to_stdout(release_tree, clips, capfd) -> None:
    loud = Waveform(clips["short"].samples * 10, 16000)
    SpeechTokenizer.load(str(release_tree), device="cpu").encode(loud)
    assert capfd.readouterr().out == ""


def test_load_refuses_encoders_of_another_rate(tree) -> None:
    path = tree / "speech_tokenizer/style_encoder_w2v2/config.json"
    text = path.read_text()
    config = json.loads(text)
    for strides, message in (
        ([5, 2, 2, 2, 2, 2, 1], r"pytorch_model\.bin: has a frame every 160 samples, expected every 320"),
        ([5, 2, 2, 2, 2, 2, 0], r"config\.json: .*conv_stride: 0 is outside"),
        ([5, 5, 5, 5, 5, 2, 2], r"config\.json: one frame takes \d+ samples, and the shortest clip has 1280"),
    ):
        path.write_text(json.dumps(config | {"conv_stride": strides}))
        with pytest.raises(CheckpointError, match=message):
            SpeechTokenizer.load(str(tree), device="cpu")


def test_encode_refuses_numbers_that_overflow(tree, clips) -> None:
    tokenizer = SpeechTokenizer.load(str(tree), device="cpu", expressive=False)
    tokenizer.hubert.encoder.layers[-1].norm.weight.fill_(float("inf"))
    with pytest.raises(SpiritLMError, match="infinite or not a number"):
        tokenizer.encode(clips["short"])
