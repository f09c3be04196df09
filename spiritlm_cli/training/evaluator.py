"""Evaluation of a network in training, by all processes of the training: each takes a part of the data."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TypeVar

import torch
from torch import Tensor

from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.transformers_network import TransformersNetwork
from spiritlm_cli.training.attention import without_flash
from spiritlm_cli.training.language_model_options import LanguageModelOptions
from spiritlm_cli.training.loop import Loop
from spiritlm_cli.training.sharding import independent_calls, whole_weights
from spiritlm_cli.training.starting_model import StartingModel

T = TypeVar("T")


class Evaluator:
    """The network and the vocabulary of a training, and the part of this process in their evaluation."""

    def __init__(self, options: LanguageModelOptions, model: StartingModel, loop: Loop) -> None:
        self.model = model
        self._options, self._loop = options, loop

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes files."""
        return self._loop.is_main

    @property
    def device(self) -> torch.device:
        """The device of this process."""
        return self._loop.device

    @contextmanager
    def mode(self) -> Iterator[None]:
        """Compute without dropout in the block, and in bfloat16 where training does. All processes enter it.

        Each process may call the network another number of times. `merge` and `sum` are called after the block.
        """
        network = self.model.network
        device = network.get_input_embeddings().weight.device
        calls = independent_calls(network, device) if self._loop.is_sharded else nullcontext()
        network.eval()
        try:
            with (
                torch.autocast(device.type, torch.bfloat16, enabled=self._options.bf16),
                calls,
                without_flash(network),
            ):
                yield
        finally:
            network.train()

    def language_model(self) -> LanguageModel:
        """The network and the vocabulary for generation, in `mode`."""
        network = self.model.network
        context = getattr(network.config, "max_position_embeddings", self._options.context)
        return LanguageModel(TransformersNetwork(network, context), self.model.vocabulary)

    def own(self, items: Sequence[T]) -> Sequence[T]:
        """The items that this process evaluates."""
        return items[self._loop.process :: self._loop.processes]

    def merge(self, values: Sequence[T]) -> list[T]:
        """The values that all processes have of their `own` items, in the order of all items."""
        parts = self._loop.gather_objects(values)
        merged = {
            index * len(parts) + process: value
            for process, part in enumerate(parts)
            for index, value in enumerate(part)
        }
        return [merged[index] for index in sorted(merged)]

    def sum(self, tensor: Tensor) -> Tensor:
        """Add a tensor of each process, on the CPU."""
        return torch.stack(self._loop.gather_objects(tensor)).sum(0)

    def save(self, model: StartingModel) -> None:
        """Write the weights of the network to the folder of `model`. All processes call it."""
        weights = whole_weights(model.network) if self._loop.is_sharded else None
        if self.is_main:
            model.save(weights)
