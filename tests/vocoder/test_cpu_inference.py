"""The generator on a CPU: in windows, with minimal filtering, on any number of threads, against the plain network."""

import copy

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spiritlm_cli.nn.layers import prepack_weights
from spiritlm_cli.nn.winograd import WinogradConv
from spiritlm_cli.vocoder import cpu_inference
from spiritlm_cli.vocoder.config import DurationConfig, HifiGanConfig
from spiritlm_cli.vocoder.hifigan import HifiGan
from spiritlm_cli.vocoder.vocoder import Vocoder


@pytest.fixture(scope="module")
def network(shallow_vocoders) -> HifiGan:
    return Vocoder.load(str(shallow_vocoders), device="cpu").network


@given(frames=st.integers(1, 130))
@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_synthesize_on_cpu_in_windows_is_the_whole(network, monkeypatch, frames) -> None:
    ids = torch.arange(frames)[None] % 64
    speaker = torch.zeros(1, dtype=torch.long)
    monkeypatch.setattr(cpu_inference, "_WINDOW_VALUES", 8192)
    with torch.inference_mode():
        whole = network(ids, speaker, ids, ids)
        waveform = cpu_inference.synthesize_on_cpu(network, [network.embed(ids, speaker, ids, ids)])[0]
        torch.testing.assert_close(waveform, whole, atol=1e-5, rtol=0)


@pytest.fixture(scope="module")
def large() -> HifiGan:
    """A network of the release's width in its first stages, for which oneDNN has other kernels than for a tiny one."""
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


def test_synthesize_on_cpu_is_the_plain_network_whatever_the_batch_and_threads(
    large: HifiGan, monkeypatch
) -> None:
    """Up to rounding equal to the plain network; bit-identical in any batch and on any number of threads."""
    monkeypatch.setattr(cpu_inference, "_WINDOW_VALUES", 4096)
    monkeypatch.setattr(cpu_inference, "_MIN_MULTIPLICATIONS", 1)
    generator = torch.Generator().manual_seed(0)
    units = [torch.randint(50, (1, frames), generator=generator) for frames in (1, 7, 90, 40, 300)]
    with torch.inference_mode():
        expected = [large(ids)[0] for ids in units]
        optimized = copy.deepcopy(large)
        cpu_inference.optimize_for_cpu(optimized)
        assert sum(isinstance(layer, WinogradConv) for layer in optimized.modules()) == 36
        prepack_weights(optimized)
        clips = [optimized.embed(ids) for ids in units]
    before = torch.get_num_threads()
    outputs = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            with torch.inference_mode():
                outputs.append(cpu_inference.synthesize_on_cpu(optimized, clips))
    finally:
        torch.set_num_threads(before)
    with torch.inference_mode():
        outputs.append([cpu_inference.synthesize_on_cpu(optimized, [clip])[0] for clip in clips])
    for waveforms in outputs:
        for one, other, first in zip(waveforms, expected, outputs[0], strict=True):
            torch.testing.assert_close(one[0], other, atol=1e-5, rtol=0)
            assert torch.equal(one, first)
    assert max(clip.std() for clip in expected) > 0.01
