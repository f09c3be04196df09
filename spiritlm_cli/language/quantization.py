"""Linear layers with 8-bit or 4-bit weights, by torchao: less memory for a large model.

Only weights are quantized. Activations are not, so no token depends on the other tokens of its batch.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn

from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.third_party import needs_extra

Quantize = Literal["int8", "int4"]

# Number of consecutive 4-bit weights of a row that share a scale and a zero point.
_GROUP = 32
# torch's 4-bit kernel for CPUs processes this many rows of a weight at a time.
_ROWS = 16


class QuantizedLinear:
    """A linear layer with a weight that torchao quantizes on the weight's device."""

    def __init__(self, weight: Tensor, bias: Tensor | None, quantize: Quantize) -> None:
        """weight: (features out, features in), on a device that `check_quantization` accepts. bias: (features out,).

        int8 has one scale a row; int4 has a scale and a zero point for each 32 weights of a row. Raises SpiritLMError
        if int4 can't divide the weight into such groups.
        """
        self.bias = bias
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
        self._dtype = _compute_dtype(weight, quantize)
        # int4 scales get the weight's dtype, and the kernel expects them in the dtype that it computes in
        prepared = weight.to(self._dtype) if quantize == "int4" else weight
        layer.weight = nn.Parameter(prepared, requires_grad=False)
        with suppress_import_warnings():
            from torchao.quantization import quantize_

            quantize_(layer, _torchao_config(weight, quantize))
        self.weight = layer.weight

    def __call__(self, x: Tensor) -> Tensor:
        """(…, features in) to (…, features out), in the dtype of x."""
        out = nn.functional.linear(x.to(self._dtype), self.weight).to(x.dtype)
        return out if self.bias is None else out + self.bias


def check_quantization(quantize: Quantize, device: torch.device) -> None:
    """Raise MissingPackageError without torchao, and SpiritLMError if the device has no kernels for such weights."""
    with needs_extra("torchao", extra="quantize", purpose="quantized weights"), suppress_import_warnings():
        import torchao.quantization  # noqa: F401
    if quantize == "int4" and not (
        device.type == "cpu" or (device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0))
    ):
        raise SpiritLMError(
            f"int4 weights need a CPU or a CUDA GPU of compute capability 8.0 or more, not {device}; int8 works on "
            "any device"
        )


def _compute_dtype(weight: Tensor, quantize: Quantize) -> torch.dtype:
    """The dtype of the matrix product: bfloat16 for int4 and on CPUs with bfloat16 kernels, else the weight's own."""
    # without oneDNN's bfloat16, a CPU has only a slow 8-bit kernel
    slow = weight.is_cpu and not torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.bfloat16 if quantize == "int4" or (weight.is_cpu and not slow) else weight.dtype


def _torchao_config(weight: Tensor, quantize: Quantize) -> Any:
    """torchao's configuration for a weight on its device."""
    from torchao.quantization import Int4WeightOnlyConfig, Int8WeightOnlyConfig

    if quantize == "int8":
        return Int8WeightOnlyConfig(set_inductor_config=False)
    rows, columns = weight.shape
    if columns % _GROUP or rows % _ROWS:
        raise SpiritLMError(
            f"int4 needs layers with multiples of {_GROUP} features in and of {_ROWS} out, and the model has one with "
            f"{columns} and {rows}; int8 has no such need"
        )
    if weight.is_cpu:
        from torchao.prototype.quantization.int4 import PrototypeInt4WeightOnlyConfig

        return PrototypeInt4WeightOnlyConfig(group_size=_GROUP, set_inductor_config=False)
    return Int4WeightOnlyConfig(
        group_size=_GROUP, int4_packing_format="tile_packed_to_4d", set_inductor_config=False
    )


@contextmanager
def suppress_import_warnings() -> Iterator[None]:
    """Silence logging while torchao is imported, which warns about every part that is for other machines."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
