"""Minimal filtering against plain convolutions: results, precision, and compiled kernels."""

import subprocess

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from spiritlm_cli.nn import winograd
from spiritlm_cli.nn.layers import Conv, prepack_weights
from spiritlm_cli.nn.winograd import WinogradConv, is_supported
from spiritlm_cli.tokens.sequence import SpeechSpan
from spiritlm_cli.tokens.units import Kind, Unit
from spiritlm_cli.vocoder import cpu_inference
from spiritlm_cli.vocoder.vocoder import Vocoder

SIZES = st.sampled_from([3, 5, 7, 9, 11])
CHANNELS = st.sampled_from([32, 48, 64])


def make_conv(channels: int, size: int, dilation: int, bias: bool = True) -> Conv:
    return Conv(channels, channels, size, dilation=dilation, padding=dilation * (size // 2), bias=bias)


@given(
    CHANNELS,
    SIZES,
    st.sampled_from([1, 2, 3, 5, 12]),
    st.integers(1, 150),
    st.integers(1, 3),
    st.integers(0, 9),
)
@settings(deadline=None, max_examples=60)
def test_winograd_conv_equals_conv(
    channels: int, size: int, dilation: int, frames: int, batch: int, seed: int
) -> None:
    """For any length, even shorter than the kernel, within float32 rounding."""
    torch.manual_seed(seed)
    conv, x, residual = make_conv(channels, size, dilation), *torch.randn(2, batch, frames, channels)
    optimized = WinogradConv(conv)
    exact = conv.double()
    with torch.inference_mode():
        prepack_weights(optimized)

        def assert_same(result: Tensor, expected: Tensor) -> None:
            torch.testing.assert_close(result.double(), expected, atol=1e-5, rtol=0)

        assert_same(optimized(x), exact(x.double()))
        assert_same(
            optimized(x, "leaky_relu", 0.1, input_slope=0.2),
            exact(x.double(), "leaky_relu", 0.1, input_slope=0.2),
        )
        assert_same(optimized(x, residual=residual), exact(x.double(), residual=residual.double()))


def test_winograd_conv_precision() -> None:
    torch.manual_seed(0)
    conv, x = make_conv(128, 11, 3), torch.randn(1, 2000, 128)
    with torch.inference_mode():
        plain, optimized = conv(x), WinogradConv(conv)(x)
        exact = conv.double()(x.double())
    # The lower bound shows that it computes in another way.
    assert 1 < (optimized - exact).std() / (plain - exact).std() < 10
    assert (optimized - exact).std() / exact.std() < 2e-6


def test_winograd_conv_without_bias_and_is_supported() -> None:
    conv = make_conv(32, 7, 1, bias=False)
    x = torch.randn(1, 40, 32)
    with torch.inference_mode():
        torch.testing.assert_close(WinogradConv(conv)(x), conv(x), atol=1e-5, rtol=1e-5)
    assert is_supported(conv)
    assert not is_supported(make_conv(16, 11, 1))
    assert not is_supported(make_conv(32, 3, 1))
    assert not is_supported(Conv(64, 64, 7, stride=2, padding=3))
    assert not is_supported(Conv(64, 64, 7))
    assert not is_supported(Conv(64, 64, 7, padding=3, groups=2))
    assert not is_supported(make_conv(64, 7, 1).bfloat16())
    assert not is_supported(torch.nn.Linear(64, 64))


def test_large_vocoders_are_loaded_with_winograd_convs(release_tree, monkeypatch) -> None:
    """The limits are lowered, because the test network is small."""
    span = SpeechSpan((Unit(Kind.STYLE, 3), Unit(Kind.PITCH, 5), *(Unit(Kind.HUBERT, n) for n in range(40))))
    plain = Vocoder.load(str(release_tree), device="cpu")
    for module, name in (
        (cpu_inference, "_MIN_MULTIPLICATIONS"),
        (winograd, "MIN_CHANNELS"),
        (winograd, "MIN_INPUTS"),
    ):
        monkeypatch.setattr(module, name, 1)
    optimized = Vocoder.load(str(release_tree), device="cpu")
    assert not any(isinstance(layer, WinogradConv) for layer in plain.network.modules())
    assert sum(isinstance(layer, WinogradConv) for layer in optimized.network.modules()) > 10
    samples, expected = optimized.decode(span).samples, plain.decode(span).samples
    np.testing.assert_allclose(samples, expected, atol=1e-5, rtol=0)
    assert not np.array_equal(samples, expected)


def test_loading_does_not_import_torch_s_compiler(release_tree, programs) -> None:
    """Its import takes a second, and initializing weights on the meta device would cause it."""
    script = (
        "import sys; from spiritlm_cli.vocoder.vocoder import Vocoder;"
        f"Vocoder.load({str(release_tree)!r}, device='cpu'); assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([programs / "python", "-c", script], check=True)
