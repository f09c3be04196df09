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
_ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


class Linear(nn.Linear):
    """A linear layer, then an activation."""

    def forward(self, x: Tensor, activation: Activation = "none") -> Tensor:
        """(…, features in) to (…, features out)."""
        return linear(x, self.weight, self.bias, activation)


class Conv(nn.Conv1d):
    """A convolution over time, then a residual, then an activation."""

    def forward(
        self, x: Tensor, activation: Activation = "none", slope: float = 0, add: Tensor | None = None
    ) -> Tensor:
        """(batch, frames, channels in) to (batch, frames out, channels out).

        slope: of leaky_relu. add: of the shape that comes out, added before the activation.
        """
        shape = (0, *self.padding), (1, *self.stride), (1, *self.dilation), self.groups
        padding, stride, dilation, groups = shape
        weight = self.weight[:, :, None]
        if not _fuses(x):
            out = _as_sequence(F.conv2d(_as_image(x), weight, self.bias, stride, padding, dilation, groups))
            return _activated(out if add is None else out + add, activation, slope)
        # Convolutions in groups are compiled for each length, which takes longer than they do: pad to a few lengths.
        missing = _missing(x.shape[1]) if 1 < groups < self.in_channels else 0
        image = _as_image(F.pad(x, (0, 0, 0, missing)) if missing else x)
        arguments = weight, self.bias, padding, stride, dilation, groups
        if add is not None:
            run = torch.ops.mkldnn._convolution_pointwise.binary
            out = _as_sequence(run(image, _as_image(add), *arguments, "add", 1.0, None, [], None))
            return _activated(out, activation, slope)
        out = _as_sequence(
            torch.ops.mkldnn._convolution_pointwise(image, *arguments, *_post_op(activation, slope))
        )
        return out[:, : out.shape[1] - missing]


class ConvTranspose(nn.ConvTranspose1d):
    """A transposed convolution over time."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]  # torch's takes an output size too
        """(batch, frames, channels in) to (batch, frames out, channels out)."""
        missing = _missing(x.shape[1]) if _fuses(x) else 0  # compiled for each length, as those in groups
        image = _as_image(F.pad(x, (0, 0, 0, missing)) if missing else x)
        weight = self.weight[:, :, None]
        out = _as_sequence(
            F.conv_transpose2d(image, weight, self.bias, (1, *self.stride), (0, *self.padding))
        )
        return out[:, : out.shape[1] - missing * self.stride[0]]


def _missing(frames: int) -> int:
    """How many zeros, which change nothing before them, make a length one of eight to the octave."""
    step = max(8, 1 << max(frames.bit_length() - 4, 0))
    return -frames % step


def linear(x: Tensor, weight: Tensor, bias: Tensor | None, activation: Activation = "none") -> Tensor:
    """x: (…, features in); weight: (features out, features in). Returns (…, features out)."""
    if not _fuses(x):
        return _activated(F.linear(x, weight, bias), activation, 0)
    rows = x.reshape(-1, x.shape[-1])
    # oneDNN has a kernel of its own for a single row, which sums in another order.
    alone = len(rows) == 1
    rows = rows.expand(2, -1) if alone else rows
    run = torch.ops.mkldnn._linear_pointwise
    out: Tensor = run(rows.contiguous(), weight, bias, *_post_op(activation, 0))
    return out[: 1 if alone else None].view(*x.shape[:-1], -1)


def apart(function: Callable[[Tensor], Tensor], clips: Sequence[Tensor]) -> list[Tensor]:
    """`function`, which takes a batch of equal lengths, of each clip by itself; of equal ones, of all at once.

    clips: each (frames, …). Returns what `function` makes of each.
    """
    if len({clip.shape for clip in clips}) == 1:
        return list(function(torch.stack(tuple(clips))).unbind())
    return [function(clip[None])[0] for clip in clips]


def _fuses(x: Tensor) -> bool:
    """Whether oneDNN's own operators can take it: they know nothing of gradients, autocast, or other devices."""
    return (
        _ONEDNN
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
