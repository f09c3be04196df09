"""The networks of language models: what generation and scoring need of one, and which one a folder has.

There are two classes of networks. `PackedLlama` computes LLaMA, Qwen 2 and Mistral in batches without padding, and a
sequence has the same results in any batch. `TransformersNetwork` runs transformers' own network of any other causal
language model, in padded batches, in which results are equal up to rounding.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from spiritlm_cli.checkpoints.slamkit import read_values
from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.language.llama import PackedLlama
from spiritlm_cli.language.loading import is_packed, load_weights
from spiritlm_cli.language.quantization import Quantize, check_quantization
from spiritlm_cli.language.token_scores import TokenScores


class Cache(Protocol):
    """What a network keeps of the tokens of one sequence.

    length: number of tokens that were read. A lower value drops the last tokens.
    """

    length: int

    def copy(self) -> "Cache":
        """Return an independent copy."""


C = TypeVar("C", bound=Cache)


class Network(Protocol[C]):
    """Logits and log-probabilities of token sequences.

    vocab_size: number of logits. context_length: maximum number of tokens of a sequence. device: where token ids are
    expected. dtype: of the weights.
    """

    vocab_size: int
    context_length: int
    device: torch.device
    dtype: torch.dtype

    def new_cache(self) -> C:
        """Create an empty cache for one sequence."""

    def next_logits(self, sequences: Sequence[Tensor], caches: Sequence[C]) -> Tensor:
        """Read new tokens, and return the logits after the last token of each sequence.

        sequences: each (tokens,) int64 on `device`, one token or more. caches: one for each sequence, with the tokens
        before; the new tokens are added to it. Returns (sequences, vocab_size) float32.
        """

    def score_tokens(self, sequences: Sequence[Tensor], contexts: Sequence[int]) -> list[TokenScores]:
        """Probability of each token after its context, given all tokens before it.

        sequences: each (tokens,) int64 on `device`. contexts: for each sequence the number of leading tokens that are
        not scored, at least 1. Returns for each sequence the scores of its (tokens - context,) other tokens.
        """

    def layer_states(self, sequences: Sequence[Tensor]) -> list[Tensor]:
        """Hidden states of each token in the residual stream: before the first layer, and after each layer.

        sequences: each (tokens,) int64 on `device`, one token or more. Returns for each sequence
        (layers + 1, tokens, hidden_size) on `device`. The norm after the last layer is not applied.
        """


def load_network(
    folder: Path, devices: Sequence[torch.device], dtype: torch.dtype, quantize: Quantize | None = None
) -> Network[Any]:
    """Load the network that the `config.json` of a Hugging Face folder describes: its `model_type` chooses the class.

    devices: the layers are spread over them. quantize: "int8" or "int4" weights. Raises CheckpointError for files that
    are damaged or missing; MissingPackageError if `quantize` needs torchao; SpiritLMError if the devices have too
    little memory, and for quantized weights or several devices where the network does not have them.
    """
    values = read_values(folder / "config.json")
    if not is_packed(values):
        if quantize or len(devices) > 1:
            what = "quantized weights" if quantize else "several devices"
            kind = values.get("model_type")
            raise SpiritLMError(f"{folder}: {what} are for LLaMA, Qwen 2 and Mistral; this is {kind}")
        # imports transformers, which takes seconds
        from spiritlm_cli.language.transformers_network import TransformersNetwork

        return TransformersNetwork.load(folder, devices[0], dtype)
    if quantize is None:
        return PackedLlama(load_weights(folder, devices, dtype))
    for device in devices:
        check_quantization(quantize, device)
    # into the host's memory first: the devices may have no room for the weights before quantization
    weights = load_weights(folder, torch.device("cpu"), dtype)
    return PackedLlama(weights, quantize, devices)
