"""The keys and values that attention keeps of one sequence."""

import torch
from torch import Tensor


class KVCache:
    """Keys and values of one sequence for each layer, on the layer's device. Memory grows by doubling.

    length: number of tokens that all layers hold.
    """

    def __init__(self, layers: int) -> None:
        self.length = 0
        self._layers: list[Tensor | None] = [None] * layers

    def append(self, layer: int, key_value: Tensor) -> Tensor:
        """Add new tokens to one layer and return the keys and values of old and new tokens.

        key_value: keys, then values, (2, heads, new tokens, head_dim). Returns (2, heads, length + new tokens,
        head_dim). `length` does not change; the caller advances it after the last layer.
        """
        _, heads, tokens, dim = key_value.shape
        end = self.length + tokens
        buffer = self._layers[layer]
        if buffer is None or buffer.shape[2] < end:
            larger = key_value.new_empty(2, heads, max(64, 2 * end), dim)
            if buffer is not None:
                larger[:, :, : self.length] = buffer[:, :, : self.length]
            self._layers[layer] = buffer = larger
        buffer[:, :, self.length : end] = key_value
        return buffer[:, :, :end]

    def copy(self) -> "KVCache":
        """Return an independent copy."""
        other = KVCache(len(self._layers))
        other.length = self.length
        for layer, buffer in enumerate(self._layers):
            if buffer is not None:
                own = torch.empty_like(buffer)
                own[:, :, : self.length] = buffer[:, :, : self.length]
                other._layers[layer] = own
        return other

    @property
    def devices(self) -> list[torch.device]:
        """The device of each layer that holds tokens."""
        return [buffer.device for buffer in self._layers if buffer is not None]
