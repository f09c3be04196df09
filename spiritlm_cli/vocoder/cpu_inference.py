"""HiFi-GAN's generator on a CPU: sounds by themselves, the long ones by windows, shared out among the cores."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spiritlm_cli.nn.layers import ONEDNN, bucket_padding
from spiritlm_cli.nn.thread_pool import map_on_threads
from spiritlm_cli.vocoder.hifigan import HifiGan, LengthMask

# Numbers (frames times channels) that leave a stage of the generator at once, where there are at least twice as many: a
# megabyte, so that a core's cache holds most of what it computes with.
_WINDOW = 1 << 18

# Multiplications a second of sound, with fewer of which minutes of it win less than it takes to load numba.
_LARGE = 1e9


def optimize_for_cpu(network: HifiGan) -> None:
    """Put convolutions into the form that takes a CPU the least time, for inference only. Comes before `pack`."""
    quickens = ONEDNN and network.conv_pre.weight.dtype == torch.float32
    if not quickens or _multiplications(network) < _LARGE:
        return
    # only now: numba takes a moment to import
    from spiritlm_cli.nn.winograd import WinogradConv, is_supported

    for layers in network.resblocks.modules():
        if isinstance(layers, nn.ModuleList):
            for i, layer in enumerate(layers):
                if is_supported(layer):
                    layers[i] = WinogradConv(layer)


def _multiplications(network: HifiGan) -> float:
    """Of the residual blocks, for a second of sound."""
    rate, total = network.config.sampling_rate / network.config.code_hop_size, 0.0
    for i, up in enumerate(network.config.upsample_rates):
        rate *= up
        total += rate * sum(weight.numel() for weight in network.blocks(i).parameters())
    return total


def synthesize_on_cpu(network: HifiGan, sounds: Sequence[Tensor]) -> list[Tensor]:
    """What the network makes of each sound by itself.

    sounds: each (1, frames, model_in_dim), as `embed` gives it. Returns of each (1, frames * code_hop_size), in ±1.
    """

    def begin(sound: Tensor) -> Tensor:
        frames = sound.shape[1]
        x: Tensor = network.conv_pre(F.pad(sound, (0, 0, 0, bucket_padding(frames))))
        return x[:, :frames]

    made = map_on_threads(begin, sounds)
    for i in range(len(network.ups)):
        made = _stage(network, i, made)
    return [wave[..., 0] for wave in made]


@dataclass(frozen=True)
class _Piece:
    """What of a sound's frames goes through a stage at once: `first` to `last`, padded to `size`. Of what comes out,
    that of `start` to `stop` is as it would be in the whole."""

    first: int
    last: int
    start: int
    stop: int
    size: int


def _stage(network: HifiGan, i: int, sounds: Sequence[Tensor]) -> list[Tensor]:
    """The same as `HifiGan.stage` of sounds by themselves, each (1, frames, channels)."""
    rate = network.config.upsample_rates[i]
    channels = network.channels(i) if i < len(network.ups) - 1 else 1
    made = [sound.new_empty(1, sound.shape[1] * rate, channels) for sound in sounds]

    def hear(task: tuple[int, _Piece]) -> None:
        index, piece = task
        x = sounds[index][:, piece.first : piece.last]
        frames, padding = x.shape[1], piece.size - x.shape[1]
        if padding:
            x = F.pad(x, (0, 0, 0, padding))
        x = network.stage(i, x, LengthMask(frames if padding else None, piece.size))
        start, stop = piece.start * rate, piece.stop * rate
        made[index][:, start:stop] = x[:, start - piece.first * rate : stop - piece.first * rate]

    pieces = (
        (index, piece) for index, sound in enumerate(sounds) for piece in _pieces(network, i, sound.shape[1])
    )
    map_on_threads(hear, pieces)
    return made


def _pieces(network: HifiGan, i: int, frames: int) -> Iterator[_Piece]:
    """Of a short sound all, padded to one of few lengths (`bucket_padding`), and windows of a longer one.

    The windows overlap by what a frame hears of its neighbours. A core's cache holds a window from one convolution to
    the next, and they have four lengths in all: the first convolution of a new length takes some milliseconds to be
    compiled.
    """
    rate, channels = network.config.upsample_rates[i], network.channels(i)
    if frames * rate * channels < 2 * _WINDOW:
        yield _Piece(0, frames, 0, frames, frames + bucket_padding(frames))
        return
    # of what goes in: the reach of the blocks, that of the transposed convolution, and that of the last one
    margin = -(-(network.block_reach + network.config.upsample_kernel_sizes[i] + 3) // rate)
    step = max(_WINDOW // channels // rate // 4, margin)
    start = 0
    while start < frames:
        first = max(start - margin, 0)
        size = min(4 * step, -(-(frames - first) // step) * step)
        first = max(min(first, frames - size), 0)
        last = min(first + size, frames)
        stop = last if last == frames else last - margin
        yield _Piece(first, last, start, stop, last - first)
        start = stop
