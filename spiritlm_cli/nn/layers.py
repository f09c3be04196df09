"""Linear layers and convolutions over (batch, frames, channels), fused with the operations that follow them.

With channels last, a convolution over time is one dense matrix product. On a CPU these layers call oneDNN's kernels,
which apply the activation and add the residual inside the product's loop, and whose rows don't depend on the other rows
of a batch, bit for bit.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Activation = Literal["none", "relu", "gelu", "leaky_relu"]

# The dtypes that oneDNN's kernels are used for.
_DTYPES = (torch.float32, torch.bfloat16)
# Whether torch was built with oneDNN, as all builds for x86 and Arm are.
ONEDNN = torch._C._has_mkldnn and hasattr(torch.ops.mkldnn, "_linear_pointwise")
# Frames that weights are prepacked for; at other lengths oneDNN uses the same layout, or reorders the weights again.
_PREPACK_FRAMES = 256
# Bound on the graphs that torch.compile makes of one method: more than all layers, dtypes and argument forms together.
_MAX_COMPILED_FORMS = 128


class Linear(nn.Linear):
    """A linear layer followed by an activation."""

    def forward(self, x: Tensor, activation: Activation = "none") -> Tensor:
        """x: (…, in_features). Returns (…, out_features)."""
        return linear(x, self.weight, self.bias, activation)


class Conv(nn.Conv1d):
    """A convolution over time, followed by the addition of a residual and an activation."""

    def forward(
        self,
        x: Tensor,
        activation: Activation = "none",
        slope: float = 0,
        residual: Tensor | None = None,
        input_slope: float = 1,
    ) -> Tensor:
        """x: (batch, frames, in_channels). Returns (batch, out_frames, out_channels).

        slope: of the activation "leaky_relu". residual: of the output's shape, added before the activation.
        input_slope: slope of a leaky ReLU that is applied to x first (1: none).
        """
        if input_slope != 1:
            x = F.leaky_relu(x, input_slope)
        weight = self.weight if self.weight.is_mkldnn else self.weight[:, :, None]
        padding, stride, dilation, groups = _geometry(self)
        if not _uses_onednn(x) or _is_miscomputed(self):
            image, bias = _as_image(x), self.bias
            if _is_miscomputed(self):
                image, weight, bias = image.float(), weight.float(), None if bias is None else bias.float()
                with torch.autocast("cpu", enabled=False):
                    out = F.conv2d(image, weight, bias, stride, padding, dilation, groups)
            else:
                out = F.conv2d(image, weight, bias, stride, padding, dilation, groups)
            out = _as_sequence(out).to(x.dtype)
            return _activate(out if residual is None else out + residual, activation, slope)
        arguments = weight, self.bias, padding, stride, dilation, groups
        if residual is not None:
            binary = torch.ops.mkldnn._convolution_pointwise.binary
            out = binary(_as_image(x), _as_image(residual), *arguments, "add", 1.0, None, [], None)
            return _activate(_as_sequence(out), activation, slope)
        run = torch.ops.mkldnn._convolution_pointwise
        return _as_sequence(run(_as_image(x), *arguments, *_post_op(activation, slope)))


class ConvTranspose(nn.ConvTranspose1d):
    """A transposed convolution over time."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]  # torch's takes an output size too
        """x: (batch, frames, in_channels). Returns (batch, out_frames, out_channels)."""
        weight, stride, padding = self.weight[:, :, None], (1, *self.stride), (0, *self.padding)
        return _as_sequence(F.conv_transpose2d(_as_image(x), weight, self.bias, stride, padding))


def linear(x: Tensor, weight: Tensor, bias: Tensor | None, activation: Activation = "none") -> Tensor:
    """Apply a linear layer and an activation.

    x: (…, in_features). weight: (out_features, in_features), possibly from `prepack_weight`. Returns (…, out_features).
    """
    # a prepacked weight is for oneDNN alone
    if not (weight.is_mkldnn or _uses_onednn(x)):
        return _activate(F.linear(x, weight, bias), activation, 0)
    rows = x if x.dim() == 2 else x.reshape(-1, x.shape[-1])
    # Padded to few different numbers of rows, because oneDNN keeps a compiled kernel of about 1 MB for each; and never
    # to one row, for which it has another kernel that sums in another order.
    count = rows.shape[0]
    missing = bucket_padding(count)
    padded = F.pad(rows, (0, 0, 0, missing)) if missing else rows.contiguous()
    # the overload itself: choosing it at each call takes as long as a small product
    run = torch.ops.mkldnn._linear_pointwise.default
    out: Tensor = run(padded, weight, bias, *_post_op(activation, 0))
    if missing:
        out = out[:count]
    return out if x.dim() == 2 else out.view(*x.shape[:-1], -1)


def map_clips(function: Callable[[Tensor], Tensor], clips: Sequence[Tensor]) -> list[Tensor]:
    """Apply a function of a batch to clips of any lengths, without padding: clips of one length together, others alone.

    function: (batch, frames, …) to (batch, …). clips: each (frames, …). Returns one result for each clip.
    """
    if len({clip.shape for clip in clips}) == 1:
        return list(function(torch.stack(tuple(clips))).unbind())
    return [function(clip[None])[0] for clip in clips]


def bucket_padding(frames: int) -> int:
    """Return how many frames to add to reach the next bucketed length, of which there are eight per octave.

    oneDNN compiles a convolution for each new length, which can take longer than running it.
    """
    return -frames % max(8, 1 << max(frames.bit_length() - 4, 0))


def padding_rows(clips: Sequence[Tensor]) -> list[Tensor]:
    """Return zero rows that round a packed batch up to a bucketed length, so that oneDNN reuses its compiled kernels.

    clips: each (frames, dim). Returns a list of one further clip, or an empty list if none is needed.
    """
    missing = bucket_padding(sum(len(clip) for clip in clips)) if _uses_onednn(clips[0]) else 0
    return [clips[0].new_zeros(missing, clips[0].shape[1])] if missing else []


def compile_modules(network: nn.Module) -> None:
    """Run torch.compile on the methods that the modules of a network name in their attribute `compiled`."""
    from torch._dynamo import config

    # By default torch stops compiling a function at its ninth form of arguments; modules of one class share methods.
    config.recompile_limit = max(config.recompile_limit, _MAX_COMPILED_FORMS)
    for module in network.modules():
        for name in getattr(module, "compiled", ()):
            setattr(module, name, torch.compile(getattr(module, name), dynamic=True))


def prepack_weights(network: nn.Module) -> None:
    """Convert the weights of a network on a CPU to oneDNN's layout, instead of at each call.

    Afterwards the network is for inference on this CPU only: it can't be trained, moved or saved.
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
        elif layer.in_channels == 1 or _is_miscomputed(layer):
            continue  # A layer of one channel is small, and `ConvFeatures` reads the values of its weight.
        else:
            image = [1, layer.in_channels, 1, _PREPACK_FRAMES * layer.stride[0] + layer.kernel_size[0]]
            reorder = torch.ops.mkldnn._reorder_convolution_weight
            packed = reorder(layer.weight[:, :, None], *_geometry(layer), image)
        layer.weight = nn.Parameter(packed, requires_grad=False)


def prepack_weight(weight: Tensor) -> Tensor:
    """Return a weight, (out_features, in_features), in oneDNN's layout if `linear` uses that, otherwise unchanged."""
    if not (ONEDNN and weight.is_cpu and weight.dtype in _DTYPES):
        return weight
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, _PREPACK_FRAMES)
    return packed


def _uses_onednn(x: Tensor) -> bool:
    """Whether to call oneDNN's operators directly: they don't support gradients, autocast, or other devices."""
    return (
        ONEDNN
        and x.is_cpu
        and x.dtype in _DTYPES
        and not torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )


def _is_miscomputed(conv: Conv) -> bool:
    """Whether oneDNN can return wrong values for a convolution, or is very slow: it is computed in float32 instead.

    On CPUs with AMX, oneDNN (torch 2.13) returns unrelated values for bfloat16, groups of fewer than 16 channels, and
    kernels of even size. Odd sizes are computed in float32 too, since no network has them in bfloat16. Groups of one
    channel in bfloat16 can take minutes.
    """
    small = conv.groups > 1 and conv.in_channels // conv.groups < 16
    in_bfloat16 = conv.weight.dtype is torch.bfloat16 or (
        torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") is torch.bfloat16
    )
    return small and conv.weight.is_cpu and in_bfloat16


def _geometry(conv: Conv) -> tuple[list[int], list[int], list[int], int]:
    """Return padding, stride and dilation of a convolution over `_as_image`, and its groups."""
    return [0, *map(int, conv.padding)], [1, *conv.stride], [1, *conv.dilation], conv.groups


def _post_op(activation: Activation, slope: float) -> tuple[str, list[float], str]:
    """Return oneDNN's name of an activation, its parameters, and its algorithm ("none" is the exact GELU)."""
    return activation, [slope] if activation == "leaky_relu" else [], "none"


def _activate(x: Tensor, activation: Activation, slope: float) -> Tensor:
    if activation == "gelu":
        return F.gelu(x)
    if activation == "relu":
        return F.relu(x)
    return F.leaky_relu(x, slope) if activation == "leaky_relu" else x


def _as_image(x: Tensor) -> Tensor:
    """View (batch, frames, channels) as an image of one row, (batch, channels, 1, frames), channels last in memory."""
    return x.contiguous().transpose(1, 2)[:, :, None]


def _as_sequence(image: Tensor) -> Tensor:
    """Undo `_as_image`."""
    return image[:, :, 0].transpose(1, 2)
