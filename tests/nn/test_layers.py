"""Layers against PyTorch's own, clips in batches, and networks that torch.compile compiled."""

import copy
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from release_tree import SIZES, write_vocoders

from spiritlm_cli.nn.layers import Conv, Linear, bucket_padding, map_clips, padding_rows, prepack_weights
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.vocoder.vocoder import Vocoder


def test_compile_modules_makes_whole_graphs_with_the_same_results(
    release_tree: Path, tmp_path: Path, clips, monkeypatch
) -> None:
    """Graph breaks and too many forms are errors. Only captured (backend "eager"): compiling needs a C compiler."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager", fullgraph=True))
    model, waveforms = str(release_tree), [clips["short"], clips["medium"]]
    units = SpeechTokenizer.load(model, device="cpu").encode_batch(waveforms)
    compiled = SpeechTokenizer.load(model, device="cpu", compile=True).encode_batch(waveforms)
    for one, other in zip(units, compiled, strict=True):
        assert one.hubert.tolist() == other.hubert.tolist()
        assert one.style.tolist() == other.style.tolist()

    spans = [merge_streams(each) for each in units]
    # of two stages, since each residual block takes half a second to capture
    shape = {"stages": [(20, 40), (32, 64)], "blocks": [(3, [1]), (5, [1, 3])]}
    write_vocoders(tmp_path / "speech_tokenizer", SIZES["tiny"], seed=0, **shape)
    model = str(tmp_path)
    vocoder = Vocoder.load(model, device="cpu", compile=True)
    waveforms = Vocoder.load(model, device="cpu").decode_batch(spans)
    windows = [vocoder.split_windows(span)[0] for span in spans]
    with torch.inference_mode():
        # One by one, as on a CPU, and in a padded batch, as on a GPU.
        for compiled in (vocoder.decode_batch(spans), vocoder._run_padded(windows)):
            for waveform, other in zip(waveforms, compiled, strict=True):
                samples = getattr(other, "samples", other)[: len(waveform.samples)]
                np.testing.assert_allclose(samples, waveform.samples, atol=1e-5, rtol=0)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("activation", ["none", "relu", "gelu", "leaky_relu"])
def test_layers_equal_plain_torch(packed, activation) -> None:
    """oneDNN's operators against those of torch, which are used if gradients are enabled."""
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


def test_bucket_padding_has_eight_lengths_per_octave() -> None:
    padded = {frames + bucket_padding(frames) for frames in range(1, 2049)}
    assert all(frames <= frames + bucket_padding(frames) <= frames * 1.25 + 8 for frames in range(1, 2049))
    assert len([frames for frames in padded if 1024 < frames <= 2048]) == 8
    assert min(padded) == 8


def test_padding_rows_fill_up_a_batch() -> None:
    clips = [torch.ones(5, 3), torch.ones(8, 3)]
    with torch.inference_mode():
        rows = padding_rows(clips)
    assert sum(map(len, rows)) in (0, bucket_padding(13))
    assert not any(row.any() for row in rows)
    assert padding_rows([clip.requires_grad_() for clip in clips]) == []


def test_map_clips_stacks_clips_of_one_length() -> None:
    batches = []

    def double(x: torch.Tensor) -> torch.Tensor:
        batches.append(x.shape[0])
        return 2 * x

    for lengths, expected in (([3, 3, 3], [3]), ([3, 2], [1, 1])):
        batches.clear()
        clips = [torch.randn(length, 4) for length in lengths]
        for clip, doubled in zip(clips, map_clips(double, clips), strict=True):
            assert torch.equal(doubled, 2 * clip)
        assert batches == expected


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    ("dim", "kernel", "groups"), [(128, 32, 16), (96, 32, 16), (128, 31, 16), (32, 4, 2)]
)
@torch.inference_mode()
def test_conv_of_small_groups_in_half_precision(dtype, dim, kernel, groups):
    conv = Conv(dim, dim, kernel, padding=kernel // 2, groups=groups)
    x = torch.randn(1, 100, dim)
    expected = conv(x, "gelu")
    half = copy.deepcopy(conv).to(dtype)
    prepack_weights(half)
    result = half(x.to(dtype), "gelu")
    assert result.dtype is dtype
    assert (result.float() - expected).norm() < 0.01 * expected.norm()


@pytest.mark.parametrize("groups", [4, 32])
def test_conv_of_small_groups_under_autocast_computes_in_float32(groups):
    conv = Conv(32, 32, 8, padding=4, groups=groups)
    x = torch.randn(1, 20, 32, requires_grad=True)
    expected = conv(x)
    with torch.autocast("cpu", torch.bfloat16):
        result = conv(x)
    torch.testing.assert_close(result, expected)
    (gradient,) = torch.autograd.grad(result.sum(), x)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected.sum(), x)[0])
