"""Linear layers with weights of 8 or 4 bits, by torchao: less memory for a large model.

Only weights are rounded; what they are multiplied with is not, so that no token depends on others in its batch.
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

# So many weights of four bits, side by side in a row, share a scale and a zero.
_GROUP = 32
# torch's code for a CPU takes so many rows of a weight at a time.
_ROWS = 16


class QuantizedLinear:
    """A linear layer whose weight torchao holds, where it lies."""

    def __init__(self, weight: Tensor, bias: Tensor | None, quantize: Quantize) -> None:
        """weight: (features out, features in), and its device one that `check_quantize` knows; bias: (features out,).

        int8: one scale a row. int4: a scale and a zero for each 32 weights of a row. Raises SpiritLMError where int4
        can't divide the weight so.
        """
        self.bias = bias
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
        self._dtype = _computed_in(weight, quantize)
        # scales of four bits are of the weight's own dtype, and the code for it wants them in what it computes in
        given = weight.to(self._dtype) if quantize == "int4" else weight
        layer.weight = nn.Parameter(given, requires_grad=False)
        with quietly():
            from torchao.quantization import quantize_

            quantize_(layer, _config(weight, quantize))
        self.weight = layer.weight

    def __call__(self, x: Tensor) -> Tensor:
        """(…, features in) to (…, features out), of the dtype of x."""
        out = nn.functional.linear(x.to(self._dtype), self.weight).to(x.dtype)
        return out if self.bias is None else out + self.bias


def check_quantize(quantize: Quantize, device: torch.device) -> None:
    """Raises MissingPackageError without torchao, SpiritLMError where the device has no code for such weights."""
    with needs_extra("torchao", extra="quantize", purpose="quantized weights"), quietly():
        import torchao.quantization  # noqa: F401
    if quantize == "int4" and not (
        device.type == "cpu" or (device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0))
    ):
        raise SpiritLMError(
            f"int4 weights can be had on a CPU and on a CUDA GPU of compute capability 8.0 or more, not on {device}; "
            "int8 can"
        )


def _computed_in(weight: Tensor, quantize: Quantize) -> torch.dtype:
    """What the products are made of, bfloat16 wherever it is quick: so is torch's code for four bits."""
    # without oneDNN's code for it, a CPU has only a slow one for 8 bits
    slow = weight.is_cpu and not torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.bfloat16 if quantize == "int4" or (weight.is_cpu and not slow) else weight.dtype


def _config(weight: Tensor, quantize: Quantize) -> Any:
    """torchao's configuration for a weight where it lies."""
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
def quietly() -> Iterator[None]:
    """For what imports torchao, as transformers does too: it warns of each of its parts that is for another machine."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
