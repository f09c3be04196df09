"""What becomes of a clip in company: the same as alone. Real speech on the stand-in, of any lengths, in any order."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.nn.layers import Conv, Linear, prepack_weights
from spiritlm_cli.nn.winograd import WinogradConv
from spiritlm_cli.speech import encoder
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.sequence import SpeechSpan
from spiritlm_cli.tokens.units import Kind, Unit
from spiritlm_cli.vocoder import cpu_inference
from spiritlm_cli.vocoder.config import DurationConfig, HifiGanConfig
from spiritlm_cli.vocoder.hifigan import HifiGan
from spiritlm_cli.vocoder.vocoder import Vocoder

STRETCHES = st.lists(st.tuples(st.integers(0, 90_000), st.integers(1280, 50_000)), min_size=1, max_size=8)
MIXTURES = settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def tokenizer(release_tree: Path) -> SpeechTokenizer:
    return SpeechTokenizer.load(str(release_tree), device="cpu")


@pytest.fixture(scope="module")
def vocoders(release_tree: Path) -> dict[bool, Vocoder]:
    return {expressive: Vocoder.load(str(release_tree), expressive, "cpu") for expressive in (False, True)}


@given(stretches=STRETCHES, budget=st.floats(0, 30))
@MIXTURES
def test_units_in_any_batch_are_those_alone(tokenizer, clips, stretches, budget) -> None:
    samples = clips["whole"].samples
    waveforms = [Waveform(samples[start:][:length], 16000) for start, length in stretches]
    together = tokenizer.encode_batch(waveforms, budget)
    for waveform, units in zip(waveforms, together, strict=True):
        alone = tokenizer.encode(waveform)
        for name in ("hubert", "pitch", "style"):
            assert getattr(units, name).tolist() == getattr(alone, name).tolist()


@given(stretches=STRETCHES)
@MIXTURES
def test_on_a_cpu_features_are_the_same_to_the_last_bit(tokenizer, clips, stretches) -> None:
    waveforms = [torch.tensor(clips["whole"].samples[start:][:length]) for start, length in stretches]
    with torch.inference_mode():
        together = tokenizer.hubert(waveforms)
        for waveform, features in zip(waveforms, together, strict=True):
            assert torch.equal(features, tokenizer.hubert([waveform])[0])


def test_silence_beside_speech_changes_nothing(tokenizer, clips) -> None:
    """Statistics over time are of real samples: a clip's neighbours may be anything."""
    silence, loud = np.zeros(40_000, np.float32), np.ones(30_000, np.float32)
    waveforms = [Waveform(silence, 16000), clips["short"], Waveform(loud, 16000)]
    units = tokenizer.encode_batch(waveforms, 100)[1]
    assert units.hubert.tolist() == tokenizer.encode(clips["short"]).hubert.tolist()


LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=6)


@pytest.mark.parametrize("expressive", [False, True])
@given(lengths=LENGTHS, budget=st.floats(0, 30), seed=st.integers(0, 99))
@MIXTURES
def test_sounds_in_any_batch_are_those_alone(vocoders, expressive, lengths, budget, seed) -> None:
    vocoder, draw = vocoders[expressive], np.random.default_rng(seed)
    spans = [
        SpeechSpan(
            (
                Unit(Kind.STYLE, 3),
                Unit(Kind.PITCH, 5),
                *(Unit(Kind.HUBERT, int(n)) for n in draw.integers(0, 501, n)),
            )
        )
        for n in lengths
    ]
    together = vocoder.decode_batch(spans, batch_seconds=budget)
    for span, waveform in zip(spans, together, strict=True):
        np.testing.assert_allclose(waveform.samples, vocoder.decode(span).samples, atol=1e-5, rtol=0)


@given(lengths=LENGTHS, seed=st.integers(0, 99))
@MIXTURES
def test_rows_of_a_padded_batch_end_as_if_nothing_followed(vocoders, lengths, seed) -> None:
    """The way of a GPU, on the CPU: rows padded with other units, and cleared behind their ends."""
    network, draw = vocoders[True].network, torch.Generator().manual_seed(seed)
    ids = torch.randint(0, 64, (3, len(lengths), max(lengths)), generator=draw)
    voice = torch.zeros(len(lengths), dtype=torch.long)
    with torch.inference_mode():
        together = network(ids[0], voice, ids[1], ids[2], lengths=torch.tensor(lengths))
        for row, length in enumerate(lengths):
            one = [stream[row : row + 1, :length] for stream in ids]
            alone = network(one[0], voice[:1], one[1], one[2])
            torch.testing.assert_close(together[row, : alone.shape[1]], alone[0], atol=1e-5, rtol=0)


@given(frames=st.integers(1, 130))
@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_windows_of_the_generator_are_the_whole(vocoders, monkeypatch, frames) -> None:
    network = vocoders[True].network
    ids = torch.arange(frames)[None] % 64
    voice = torch.zeros(1, dtype=torch.long)
    monkeypatch.setattr(cpu_inference, "_WINDOW", 8192)
    with torch.inference_mode():
        whole = network(ids, voice, ids, ids)
        made = cpu_inference.synthesize_on_cpu(network, [network.embed(ids, voice, ids, ids)])[0]
        torch.testing.assert_close(made, whole, atol=1e-5, rtol=0)


@given(frames=st.lists(st.integers(1, 30), min_size=1, max_size=5))
@MIXTURES
def test_attention_padded_is_attention_apart(monkeypatch, frames) -> None:
    """The way of a GPU, which pads, against each clip by itself."""
    draw = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, sum(frames), 2, 8, generator=draw)
    apart = torch.cat(
        [
            encoder.attend(*parts, [len(parts[0])])
            for parts in zip(*(x.split(frames) for x in (q, k, v)), strict=True)
        ]
    )
    torch.testing.assert_close(encoder.attend_padded(q, k, v, frames), apart)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("activation", ["none", "relu", "gelu", "leaky_relu"])
def test_layers_are_torch_s_own(packed, activation) -> None:
    """oneDNN's operators against plain ones, which run where gradients are wanted."""
    torch.manual_seed(0)
    x = torch.randn(2, 50, 12)
    conv = Conv(12, 16, 5, stride=2, padding=4, dilation=2, groups=4).requires_grad_(False)
    line = Linear(12, 16).requires_grad_(False)
    plain = conv(x, activation, 0.1)
    added = conv(x, residual=plain)
    straight = line(x, "gelu")
    if packed:
        prepack_weights(torch.nn.ModuleList([conv, line]))
    with torch.inference_mode():
        torch.testing.assert_close(conv(x, activation, 0.1), plain)
        torch.testing.assert_close(conv(x, residual=plain), added)
        torch.testing.assert_close(line(x, "gelu"), straight)
        torch.testing.assert_close(line(x[0, :1], "gelu"), straight[0, :1])


@pytest.fixture(scope="module")
def large() -> HifiGan:
    """Of the release's width in its first stages, with random weights: on a CPU it takes other kernels than the tiny
    one does."""
    torch.manual_seed(0)
    config = HifiGanConfig(
        upsample_rates=[5, 4],
        upsample_kernel_sizes=[11, 8],
        upsample_initial_channel=256,
        resblock_kernel_sizes=[3, 7, 11],
        resblock_dilation_sizes=[[1, 3, 5]] * 3,
        num_embeddings=50,
        embedding_dim=32,
        model_in_dim=32,
        dur_predictor_params=DurationConfig(encoder_embed_dim=32, var_pred_hidden_dim=8),
        code_hop_size=20,
        sampling_rate=500,
    )
    return HifiGan(config).eval().requires_grad_(False)


def test_a_large_vocoder_on_a_cpu_is_the_plain_network(large: HifiGan, monkeypatch) -> None:
    """With fewer multiplications, by windows, among any number of cores: the samples of the network itself, and the
    same to the last bit in any company and on any number of cores."""
    monkeypatch.setattr(cpu_inference, "_WINDOW", 4096)
    monkeypatch.setattr(cpu_inference, "_LARGE", 1)
    draw = torch.Generator().manual_seed(0)
    units = [torch.randint(50, (1, frames), generator=draw) for frames in (1, 7, 90, 40, 300)]
    with torch.inference_mode():
        expected = [large(ids)[0] for ids in units]
        quick = copy.deepcopy(large)
        cpu_inference.optimize_for_cpu(quick)
        assert sum(isinstance(layer, WinogradConv) for layer in quick.modules()) == 36
        prepack_weights(quick)
        sounds = [quick.embed(ids) for ids in units]
    before = torch.get_num_threads()
    made = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            with torch.inference_mode():
                made.append(cpu_inference.synthesize_on_cpu(quick, sounds))
    finally:
        torch.set_num_threads(before)
    with torch.inference_mode():
        made.append([cpu_inference.synthesize_on_cpu(quick, [sound])[0] for sound in sounds])
    for found in made:
        for one, other, first in zip(found, expected, made[0], strict=True):
            torch.testing.assert_close(one[0], other, atol=1e-5, rtol=0)
            assert torch.equal(one, first)
    assert max(sound.std() for sound in expected) > 0.01
