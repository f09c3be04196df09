"""Convolutions over time with half of the multiplications, for CPUs: Winograd's minimal filtering F(4, 4).

Four outputs of a filter with four taps take 16 multiplications, or seven if inputs and taps are transformed before and
outputs after: y = Aᵀ[(G g) ⊙ (Bᵀ x)]. This is the product of two polynomials by their values at seven points (Winograd
1980; for networks Lavin and Gray 2015, arXiv 1509.09308). With channels, each of the seven is a matrix product, which
takes most of the time.

A longer filter is a sum of filters of four taps, each over the tile after its predecessor's. Their products are added
before the output transform, and are thus themselves a convolution: over tiles, with a quarter of the taps.

The points are 0, ±1, ±2, 1/2 and infinity, at which float32 loses little (Barabasz et al. 2018, arXiv 1803.10986):
about 1e-6 of the result, two to six times the error of a plain convolution.
"""

from typing import Literal, TypeGuard

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from spiritlm_cli.manifests.clip import FloatArray
from spiritlm_cli.nn.compiled import compile_function
from spiritlm_cli.nn.layers import Conv

TILE = 4
POINTS = (0.0, 1.0, -1.0, 2.0, -2.0, 0.5)
PRODUCTS = len(POINTS) + 1

# Smallest convolutions that gain: inputs of one output (channels × taps), and channels. For smaller ones the transforms
# take longer than the multiplications they save.
MIN_INPUTS = 192
MIN_CHANNELS = 32


class WinogradConv(nn.Module):
    """A `Conv` computed by minimal filtering, for inference in float32 on a CPU. Equal to it up to rounding."""

    def __init__(self, conv: Conv) -> None:
        """conv: a convolution for which `is_supported` is true. Its weights are copied."""
        super().__init__()
        outputs, inputs, size = conv.weight.shape
        self.dilation, self.padding = conv.dilation[0], int(conv.padding[0])
        self.groups = -(-size // TILE)
        taps = F.pad(conv.weight.detach().double(), (0, TILE * self.groups - size))
        taps = taps.view(outputs, inputs, self.groups, TILE)
        transformed = torch.einsum("pt,oigt->poig", torch.from_numpy(_tap_transform()), taps)
        # One matrix product for each point, as the groups of one convolution over tiles.
        self.products = Conv(
            PRODUCTS * inputs, PRODUCTS * outputs, self.groups, dilation=self.dilation, groups=PRODUCTS, bias=False
        )  # fmt: skip
        self.products.weight = nn.Parameter(transformed.float().flatten(0, 1), requires_grad=False)
        bias = torch.zeros(outputs) if conv.bias is None else conv.bias.detach()
        self.bias: FloatArray = bias.float().numpy()

    def forward(
        self,
        x: Tensor,
        activation: Literal["none", "leaky_relu"] = "none",
        slope: float = 0,
        residual: Tensor | None = None,
        input_slope: float = 1,
    ) -> Tensor:
        """See `Conv.forward`."""
        batch, frames, channels = x.shape
        # With dilation, each of the `dilation` interleaved subsequences is convolved by itself; their tiles alternate.
        tiles = -(-frames // (TILE * self.dilation)) * self.dilation
        transformed = torch.empty(
            batch, tiles + (self.groups - 1) * self.dilation, PRODUCTS, channels, dtype=torch.float32
        )
        for row, output in zip(x.contiguous().numpy(), transformed.numpy(), strict=True):
            _transform_inputs(row, np.float32(input_slope), self.dilation, self.padding, output)
        products = self.products(transformed.flatten(2)).contiguous().view(batch, tiles, PRODUCTS, -1)
        out = torch.empty(batch, frames, len(self.bias), dtype=torch.float32)
        slope_out = np.float32(slope if activation == "leaky_relu" else 1)
        addend = (out[:, :0] if residual is None else residual).contiguous()
        for row, row_addend, output in zip(products.numpy(), addend.numpy(), out.numpy(), strict=True):
            _transform_outputs(row, self.bias, row_addend, slope_out, self.dilation, output)
        return out


def is_supported(conv: nn.Module) -> TypeGuard[Conv]:
    """Whether a layer is a convolution that `WinogradConv` can compute, and faster."""
    return (
        isinstance(conv, Conv)
        and conv.weight.is_cpu
        and conv.weight.dtype == torch.float32
        and min(conv.in_channels, conv.out_channels) >= MIN_CHANNELS
        and conv.in_channels * conv.kernel_size[0] >= MIN_INPUTS
        and conv.stride == (1,)
        and conv.groups == 1
        and conv.padding[0] == conv.dilation[0] * (conv.kernel_size[0] // 2)
        and conv.kernel_size[0] % 2 == 1
    )


def _tap_transform() -> NDArray[np.float64]:
    """Return G, (products, taps): it evaluates a filter, as a polynomial, at the points and (last row) at infinity.

    Each row is divided by the product of its point's distances from the other points, as interpolation needs.
    """
    points = np.array(POINTS)
    distances = points[:, None] - points + np.eye(len(points))
    finite = points[:, None] ** np.arange(TILE) / distances.prod(axis=1, keepdims=True)
    return np.vstack([finite, np.eye(TILE)[-1]])


# To numba a Python float is float64, and so are products with it.
_f = np.float32


@compile_function("float32(float32, float32)")
def _leaky(value: np.float32, slope: np.float32) -> np.float32:
    return value if value > 0 else value * slope


@compile_function("void(float32[:, ::1], float32, int64, int64, float32[:, :, ::1])")
def _transform_inputs(x: FloatArray, slope: np.float32, dilation: int, padding: int, out: FloatArray) -> None:
    """Apply a leaky ReLU and Bᵀ to the tiles of x.

    x: (frames, channels). out: (tiles, products, channels), written.
    """
    frames, channels = x.shape
    zeros = np.zeros(channels, np.float32)
    for n in range(len(out)):
        t0 = n // dilation * dilation * TILE + n % dilation - padding
        t1, t2, t3 = t0 + dilation, t0 + 2 * dilation, t0 + 3 * dilation
        t4, t5, t6 = t0 + 4 * dilation, t0 + 5 * dilation, t0 + 6 * dilation
        # Written out: numba counts references to arrays that a function returns, which takes longer than all the rest.
        in0 = x[t0] if 0 <= t0 < frames else zeros
        in1 = x[t1] if 0 <= t1 < frames else zeros
        in2 = x[t2] if 0 <= t2 < frames else zeros
        in3 = x[t3] if 0 <= t3 < frames else zeros
        in4 = x[t4] if 0 <= t4 < frames else zeros
        in5 = x[t5] if 0 <= t5 < frames else zeros
        in6 = x[t6] if 0 <= t6 < frames else zeros
        to = out[n]
        for c in range(channels):
            x0, x1, x2 = _leaky(in0[c], slope), _leaky(in1[c], slope), _leaky(in2[c], slope)
            x3, x4, x5 = _leaky(in3[c], slope), _leaky(in4[c], slope), _leaky(in5[c], slope)
            x6 = _leaky(in6[c], slope)
            # z - 1/2 is a factor of all rows except that of 1/2; what remains are factors of z(z² - 1)(z² - 4).
            h0, h1, h2 = x1 - _f(1 / 2) * x0, x2 - _f(1 / 2) * x1, x3 - _f(1 / 2) * x2
            h3, h4, h5 = x4 - _f(1 / 2) * x3, x5 - _f(1 / 2) * x4, x6 - _f(1 / 2) * x5
            even, odd = h4 - _f(4) * h2, h3 - _f(4) * h1
            even2, odd2 = h4 - h2, _f(2) * (h3 - h1)
            to[0, c] = h4 - _f(5) * h2 + _f(4) * h0
            to[1, c] = even + odd
            to[2, c] = even - odd
            to[3, c] = even2 + odd2
            to[4, c] = even2 - odd2
            to[5, c] = x5 - _f(5) * x3 + _f(4) * x1
            to[6, c] = h5 - _f(5) * h3 + _f(4) * h1


@compile_function("void(float32[:, :, ::1], float32[::1], float32[:, ::1], float32, int64, float32[:, ::1])")
def _transform_outputs(
    products: FloatArray,
    bias: FloatArray,
    addend: FloatArray,
    slope: np.float32,
    dilation: int,
    out: FloatArray,
) -> None:
    """Apply Aᵀ to the products, and add bias and residual, then apply a leaky ReLU.

    products: (tiles, products, channels). addend: the residual, (frames, channels), or (0, channels) for none. out:
    (frames, channels), written.
    """
    frames, channels = out.shape
    zeros, discarded = np.zeros(channels, np.float32), np.empty(channels, np.float32)
    for n in range(len(products)):
        t0 = n // dilation * dilation * TILE + n % dilation
        t1, t2, t3 = t0 + dilation, t0 + 2 * dilation, t0 + 3 * dilation
        add0 = addend[t0] if t0 < len(addend) else zeros
        add1 = addend[t1] if t1 < len(addend) else zeros
        add2 = addend[t2] if t2 < len(addend) else zeros
        add3 = addend[t3] if t3 < len(addend) else zeros
        # Outputs of the last tile beyond the end are discarded.
        to0 = out[t0] if t0 < frames else discarded
        to1 = out[t1] if t1 < frames else discarded
        to2 = out[t2] if t2 < frames else discarded
        to3 = out[t3] if t3 < frames else discarded
        at = products[n]
        for c in range(channels):
            # Even and odd powers of 1 and -1, and of 2 and -2.
            even, odd = at[1, c] + at[2, c], at[1, c] - at[2, c]
            even2, odd2 = at[3, c] + at[4, c], _f(2) * (at[3, c] - at[4, c])
            half = at[5, c]
            y0 = at[0, c] + even + even2 + half
            y1 = odd + odd2 + _f(1 / 2) * half
            y2 = even + _f(4) * even2 + _f(1 / 4) * half
            y3 = odd + _f(4) * odd2 + _f(1 / 8) * half + at[6, c]
            to0[c] = _leaky(y0 + bias[c] + add0[c], slope)
            to1[c] = _leaky(y1 + bias[c] + add1[c], slope)
            to2[c] = _leaky(y2 + bias[c] + add2[c], slope)
            to3[c] = _leaky(y3 + bias[c] + add3[c], slope)
