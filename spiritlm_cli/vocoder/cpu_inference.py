"""HiFi-GAN's generator on a CPU: clips one by one, long clips in windows, distributed over threads."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spiritlm_cli.nn.layers import ONEDNN, bucket_padding
from spiritlm_cli.nn.thread_pool import map_on_threads
from spiritlm_cli.vocoder.hifigan import HifiGan, LengthMask

# Values (frames × channels) in one window of a stage's output, for clips of at least twice as many: 1 MB in float32, so
# that most of what a core computes with fits into its cache.
_WINDOW_VALUES = 1 << 18

# Multiplications per second of audio from which on minimal filtering is used: for smaller networks, it saves less in
# minutes of audio than importing numba takes.
_MIN_MULTIPLICATIONS = 1e9


def optimize_for_cpu(network: HifiGan) -> None:
    """Replace convolutions by faster ones for inference on a CPU. To be called before `prepack_weights`."""
    supported = ONEDNN and network.conv_pre.weight.dtype == torch.float32
    if not supported or _multiplications(network) < _MIN_MULTIPLICATIONS:
        return
    # Imported here, because importing numba takes a moment.
    from spiritlm_cli.nn.winograd import WinogradConv, is_supported

    for layers in network.resblocks.modules():
        if isinstance(layers, nn.ModuleList):
            for i, layer in enumerate(layers):
                if is_supported(layer):
                    layers[i] = WinogradConv(layer)


def _multiplications(network: HifiGan) -> float:
    """Return the multiplications in residual blocks per second of audio."""
    rate, total = network.config.sampling_rate / network.config.code_hop_size, 0.0
    for i, up in enumerate(network.config.upsample_rates):
        rate *= up
        total += rate * sum(weight.numel() for weight in network.blocks(i).parameters())
    return total


def synthesize_on_cpu(network: HifiGan, clips: Sequence[Tensor]) -> list[Tensor]:
    """Run the generator on clips, each by itself, so that the result for a clip doesn't depend on the others.

    clips: each (1, frames, model_in_dim), from `HifiGan.embed`. Returns (1, frames * code_hop_size) for each, in ±1.
    """

    def run_first(clip: Tensor) -> Tensor:
        frames = clip.shape[1]
        x: Tensor = network.conv_pre(F.pad(clip, (0, 0, 0, bucket_padding(frames))))
        return x[:, :frames]

    outputs = map_on_threads(run_first, clips)
    for i in range(len(network.ups)):
        outputs = _run_stage(network, i, outputs)
    return [waveform[..., 0] for waveform in outputs]


@dataclass(frozen=True)
class _Window:
    """Frames of a clip that go through a stage together.

    first, last: the frames, with their context; padded to `size`. start, stop: the frames without context, for which
    the output is that of the whole clip.
    """

    first: int
    last: int
    start: int
    stop: int
    size: int


def _run_stage(network: HifiGan, i: int, clips: Sequence[Tensor]) -> list[Tensor]:
    """Run `HifiGan.stage` on clips, each (1, frames, channels). Returns its output for each."""
    rate = network.config.upsample_rates[i]
    channels = network.channels(i) if i < len(network.ups) - 1 else 1
    outputs = [clip.new_empty(1, clip.shape[1] * rate, channels) for clip in clips]

    def run_window(task: tuple[int, _Window]) -> None:
        index, window = task
        x = clips[index][:, window.first : window.last]
        frames, padding = x.shape[1], window.size - x.shape[1]
        if padding:
            x = F.pad(x, (0, 0, 0, padding))
        x = network.stage(i, x, LengthMask(frames if padding else None, window.size))
        start, stop, offset = window.start * rate, window.stop * rate, window.first * rate
        outputs[index][:, start:stop] = x[:, start - offset : stop - offset]

    tasks = (
        (index, window) for index, clip in enumerate(clips) for window in _windows(network, i, clip.shape[1])
    )
    map_on_threads(run_window, tasks)
    return outputs


def _windows(network: HifiGan, i: int, frames: int) -> Iterator[_Window]:
    """Yield the windows of a clip for a stage: a short clip whole, padded to a bucketed length, a longer one in parts.

    Windows overlap by the context that a frame depends on. They have four sizes in all: oneDNN compiles the first
    convolution of each new size, for some milliseconds.
    """
    rate, channels = network.config.upsample_rates[i], network.channels(i)
    if frames * rate * channels < 2 * _WINDOW_VALUES:
        yield _Window(0, frames, 0, frames, frames + bucket_padding(frames))
        return
    # In frames of the input: the reach of the blocks, of the transposed convolution, and of the last convolution.
    context = -(-(network.block_reach + network.config.upsample_kernel_sizes[i] + 3) // rate)
    step = max(_WINDOW_VALUES // channels // rate // 4, context)
    start = 0
    while start < frames:
        first = max(start - context, 0)
        size = min(4 * step, -(-(frames - first) // step) * step)
        first = max(min(first, frames - size), 0)
        last = min(first + size, frames)
        stop = last if last == frames else last - context
        yield _Window(first, last, start, stop, last - first)
        start = stop
