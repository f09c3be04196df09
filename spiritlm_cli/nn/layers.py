"""Linear layers and convolutions over (batch, frames, channels), with what follows them done in the same pass.

Sound has few channels where it is long: channels last, a convolution over time is one dense matrix product. On a
CPU these run oneDNN's kernels, which put the activation and the residual into the product's own loop, and whose
rows come out the same to the last bit whatever stands in the other rows.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Activation = Literal["none", "relu", "gelu", "leaky_relu"]

# The release's networks are float32; bfloat16 is a choice. oneDNN is in every build of torch for x86 and Arm.
_DTYPES = (torch.float32, torch.bfloat16)
ONEDNN = torch._C._has_mkldnn and hasattr(torch.ops.mkldnn, "_linear_pointwise")
# Frames that weights are put in order for; for others the order is the same, or is made anew.
_TYPICAL = 256
# More than the parts of any network times the forms in which each is called.
_KINDS = 128


class Linear(nn.Linear):
    """A linear layer, then an activation."""

    def forward(self, x: Tensor, activation: Activation = "none") -> Tensor:
        """(…, features in) to (…, features out)."""
        return linear(x, self.weight, self.bias, activation)


class Conv(nn.Conv1d):
    """A convolution over time, then a residual, then an activation."""

    def forward(
        self,
        x: Tensor,
        activation: Activation = "none",
        slope: float = 0,
        residual: Tensor | None = None,
        input_slope: float = 1,
    ) -> Tensor:
        """(batch, frames, channels in) to (batch, frames out, channels out).

        slope: of the activation "leaky_relu". residual: of the output's shape, added before the activation.
        input_slope: slope of a leaky ReLU that is applied to x first (1: none).
        """
        if input_slope != 1:
            x = F.leaky_relu(x, input_slope)
        weight = self.weight if self.weight.is_mkldnn else self.weight[:, :, None]
        padding, stride, dilation, groups = _geometry(self)
        if not _fuses(x):
            out = _as_sequence(F.conv2d(_as_image(x), weight, self.bias, stride, padding, dilation, groups))
            return _activated(out if residual is None else out + residual, activation, slope)
        arguments = weight, self.bias, padding, stride, dilation, groups
        if residual is not None:
            binary = torch.ops.mkldnn._convolution_pointwise.binary
            out = binary(_as_image(x), _as_image(residual), *arguments, "add", 1.0, None, [], None)
            return _activated(_as_sequence(out), activation, slope)
        run = torch.ops.mkldnn._convolution_pointwise
        return _as_sequence(run(_as_image(x), *arguments, *_post_op(activation, slope)))


class ConvTranspose(nn.ConvTranspose1d):
    """A transposed convolution over time."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]  # torch's takes an output size too
        """(batch, frames, channels in) to (batch, frames out, channels out)."""
        weight, stride, padding = self.weight[:, :, None], (1, *self.stride), (0, *self.padding)
        return _as_sequence(F.conv_transpose2d(_as_image(x), weight, self.bias, stride, padding))


def _geometry(conv: Conv) -> tuple[list[int], list[int], list[int], int]:
    """Padding, stride and dilation over the image that `_as_image` makes, and the groups."""
    return [0, *map(int, conv.padding)], [1, *conv.stride], [1, *conv.dilation], conv.groups


def bucket_padding(frames: int) -> int:
    """How many frames make a length one of eight to the octave.

    oneDNN compiles a convolution anew for each length, which can take longer than it runs.
    """
    return -frames % max(8, 1 << max(frames.bit_length() - 4, 0))


def padding_rows(clips: Sequence[Tensor]) -> list[Tensor]:
    """A clip of zeros that makes the frames of all, each (frames, dim), one of few numbers, or none: it goes along, so
    that no layer has to pad, where layers are compiled for a number of rows."""
    missing = bucket_padding(sum(len(clip) for clip in clips)) if _fuses(clips[0]) else 0
    return [clips[0].new_zeros(missing, clips[0].shape[1])] if missing else []


def compile_modules(network: nn.Module) -> None:
    """Have torch.compile work on what modules name in `compiled`: the methods that hold no choices in Python."""
    from torch._dynamo import config

    # It gives up on a function at the ninth kind of arguments, and modules of a class share their methods.
    config.recompile_limit = max(config.recompile_limit, _KINDS)
    for module in network.modules():
        for name in getattr(module, "compiled", ()):
            setattr(module, name, torch.compile(getattr(module, name), dynamic=True))


def prepack_weights(network: nn.Module) -> None:
    """Put the weights into oneDNN's own order, on a CPU, where it would put them at each call otherwise.

    The network can only be computed with on this CPU from then on: not trained, moved or saved.
    """
    if not ONEDNN:
        return
    for layer in network.modules():
        if (
            not isinstance(layer, Linear | Conv)
            or layer.weight.dtype not in _DTYPES
            or not layer.weight.is_cpu
        ):
            continue
        if isinstance(layer, Linear):
            packed = prepack_weight(layer.weight)
        elif layer.in_channels == 1:
            continue  # small, and what is known of it may be wanted apart from what it computes
        else:
            image = [1, layer.in_channels, 1, _TYPICAL * layer.stride[0] + layer.kernel_size[0]]
            reorder = torch.ops.mkldnn._reorder_convolution_weight
            packed = reorder(layer.weight[:, :, None], *_geometry(layer), image)
        layer.weight = nn.Parameter(packed, requires_grad=False)


def prepack_weight(weight: Tensor) -> Tensor:
    """A linear layer's weight, (features out, features in), in oneDNN's own order where `linear` uses that."""
    if not (ONEDNN and weight.is_cpu and weight.dtype in _DTYPES):
        return weight
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, _TYPICAL)
    return packed


def linear(x: Tensor, weight: Tensor, bias: Tensor | None, activation: Activation = "none") -> Tensor:
    """x: (…, features in); weight: (features out, features in). Returns (…, features out)."""
    if not _fuses(x):
        return _activated(F.linear(x, weight, bias), activation, 0)
    rows = x.reshape(-1, x.shape[-1])
    # To few numbers of rows: oneDNN keeps what it compiles for each, a megabyte or so. And to more than one, for
    # which it has a kernel of its own that sums in another order.
    missing = bucket_padding(len(rows))
    padded = F.pad(rows, (0, 0, 0, missing)) if missing else rows.contiguous()
    out: Tensor = torch.ops.mkldnn._linear_pointwise(padded, weight, bias, *_post_op(activation, 0))
    return out[: len(rows)].view(*x.shape[:-1], -1)


def map_clips(function: Callable[[Tensor], Tensor], clips: Sequence[Tensor]) -> list[Tensor]:
    """`function`, which takes a batch of equal lengths, of each clip by itself; of equal ones, of all at once.

    clips: each (frames, …). Returns what `function` makes of each.
    """
    if len({clip.shape for clip in clips}) == 1:
        return list(function(torch.stack(tuple(clips))).unbind())
    return [function(clip[None])[0] for clip in clips]


def _fuses(x: Tensor) -> bool:
    """Whether oneDNN's own operators can take it: they know nothing of gradients, autocast, or other devices."""
    return (
        ONEDNN
        and x.is_cpu
        and x.dtype in _DTYPES
        and not torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )


def _post_op(activation: Activation, slope: float) -> tuple[str, list[float], str]:
    """oneDNN's name of an activation, its numbers, and which algorithm (of GELU, "none" is the exact one)."""
    return activation, [slope] if activation == "leaky_relu" else [], "none"


def _activated(x: Tensor, activation: Activation, slope: float) -> Tensor:
    if activation == "gelu":
        return F.gelu(x)
    if activation == "relu":
        return F.relu(x)
    return F.leaky_relu(x, slope) if activation == "leaky_relu" else x


def _as_image(x: Tensor) -> Tensor:
    """(batch, frames, channels) as an image of one line, (batch, channels, 1, frames), channels last in memory."""
    return x.contiguous().transpose(1, 2)[:, :, None]


def _as_sequence(image: Tensor) -> Tensor:
    """The inverse of `_as_image`."""
    return image[:, :, 0].transpose(1, 2)
