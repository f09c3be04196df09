"""transformers' own network of a causal language model, for generation and scoring in padded batches.

Sequences of different lengths are padded on the left, so that the latest token of each is in the last column; a mask
hides the padding, and positions are counted without it. Results are equal in any batch up to rounding only: the matrix
products of another shape of batch may sum in another order.
"""

import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spiritlm_cli.console import log
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.language.token_scores import TokenScores
from spiritlm_cli.language.transformers_loading import DynamicCache, DynamicLayer, load_causal_lm
from spiritlm_cli.out_of_memory import is_out_of_memory

# Tokens that one pass reads, padding included, unless a single sequence has more.
_MAX_TOKENS = 2048
# Tokens whose logits are in memory at once in scoring.
_MAX_LOGITS = 256


class PaddedCache:
    """Keys and values of one sequence: a row of a batch that several sequences may share. No tensor is ever changed.

    length: number of tokens.
    """

    def __init__(self) -> None:
        self.length = 0
        # Keys and values of each layer, (rows, heads, columns, head_dim); the sequence begins at column `padding`.
        self.layers: tuple[tuple[Tensor, Tensor], ...] = ()
        self.row = self.padding = 0

    def copy(self) -> "PaddedCache":
        """Return an independent copy, which shares the tensors."""
        other = PaddedCache()
        other.length, other.layers, other.row, other.padding = (
            self.length,
            self.layers,
            self.row,
            self.padding,
        )
        return other

    def own(self, layer: int) -> tuple[Tensor, Tensor]:
        """The sequence's own keys and values of a layer, each (heads, length, head_dim)."""
        keys, values = self.layers[layer]
        columns = slice(self.padding, self.padding + self.length)
        return keys[self.row, :, columns], values[self.row, :, columns]


class TransformersNetwork:
    """Compute logits and log-probabilities with transformers' network. A `Network`."""

    def __init__(self, network: Any, context_length: int) -> None:
        """network: a causal language model of transformers, in evaluation mode.

        Raises CheckpointError if it does not cache keys and values of each token, as networks with a recurrent state
        don't.
        """
        self.context_length = context_length
        self._network = network
        self._arguments = frozenset(inspect.signature(network.forward).parameters)
        weight = network.get_output_embeddings().weight
        self.device: torch.device = network.get_input_embeddings().weight.device
        self.dtype: torch.dtype = weight.dtype
        self.vocab_size: int = len(weight)
        if not self._caches_tokens():
            kind = network.config.model_type
            raise CheckpointError(
                f"networks of model_type {kind!r} don't keep keys and values of each token; those with a recurrent "
                "state, such as Mamba, can't be used"
            )

    @classmethod
    def load(cls, folder: Path, device: torch.device, dtype: torch.dtype) -> "TransformersNetwork":
        """Load a Hugging Face folder. Raises CheckpointError; OutOfMemoryError if there is too little memory."""
        network = load_causal_lm(folder, device, dtype)
        path = folder / "config.json"
        context: int | None = getattr(network.config, "max_position_embeddings", None)
        try:
            loaded = cls(network, context or 0)
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}") from None
        if context is None:
            raise CheckpointError(f"{path}: has no max_position_embeddings, the length of the context")
        return loaded

    def new_cache(self) -> PaddedCache:
        """Create an empty cache for one sequence."""
        return PaddedCache()

    def next_logits(self, sequences: Sequence[Tensor], caches: Sequence[PaddedCache]) -> Tensor:
        """Logits after the last token of each sequence. As `Network.next_logits`.

        If this raises, no cache has changed.
        """
        results: dict[int, Tensor] = {}
        read: list[tuple[PaddedCache, PaddedCache]] = []
        for batch in _batches([len(ids) for ids in sequences], [cache.length for cache in caches]):
            before = [caches[index] for index in batch]
            logits, after = self._read([sequences[index] for index in batch], before)
            results.update(zip(batch, logits, strict=True))
            read += zip(before, after, strict=True)
        for cache, longer in read:
            cache.length, cache.layers = longer.length, longer.layers
            cache.row, cache.padding = longer.row, longer.padding
        return torch.stack([results[index] for index in range(len(sequences))])

    def score_tokens(self, sequences: Sequence[Tensor], contexts: Sequence[int]) -> list[TokenScores]:
        """Probabilities of the tokens after each context. As `Network.score_tokens`."""
        results: dict[int, TokenScores] = {}
        for batch in _batches([len(ids) for ids in sequences], [0] * len(sequences)):
            scores = self._score_all([sequences[index] for index in batch])
            for row, index in enumerate(batch):
                results[index] = scores.last(row, len(sequences[index]) - contexts[index])
        return [results[index] for index in range(len(sequences))]

    def layer_states(self, sequences: Sequence[Tensor]) -> list[Tensor]:
        """Residual stream of each token before the first layer and after each. As `Network.layer_states`."""
        layers = self._layers()
        return [self._read_layers(ids, layers) for ids in sequences]

    def _layers(self) -> nn.ModuleList:
        """The network's layers. Raises CheckpointError if it has no list of them."""
        count = self._network.config.get_text_config().num_hidden_layers
        for module in self._network.modules():
            if isinstance(module, nn.ModuleList) and len(module) == count:
                return module
        kind = self._network.config.model_type
        raise CheckpointError(f"networks of model_type {kind!r} have no list of {count} layers to read")

    def _read_layers(self, ids: Tensor, layers: nn.ModuleList) -> Tensor:
        """The hidden states of one sequence: (layers + 1, tokens, hidden_size).

        transformers' own `hidden_states` can't be used: its last ones are after the norm.
        """
        states: list[Tensor] = []

        def keep_input(_: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Tensor]) -> None:
            states.append(args[0] if args else kwargs["hidden_states"])

        def keep_output(_: nn.Module, args: tuple[Tensor, ...], output: Any) -> None:
            states.append(output[0] if isinstance(output, tuple) else output)

        hooks = [layers[0].register_forward_pre_hook(keep_input, with_kwargs=True)]
        hooks += [layer.register_forward_hook(keep_output) for layer in layers]
        try:
            self._network(input_ids=ids[None])
        finally:
            for hook in hooks:
                hook.remove()
        return torch.cat(states)

    def _caches_tokens(self) -> bool:
        """Whether tokens that are read are in the cache of each layer."""
        cache = self.new_cache()
        try:
            with torch.inference_mode():
                self.next_logits([torch.zeros(2, dtype=torch.int64, device=self.device)], [cache])
            sizes = {part.shape[2] for layer in cache.layers for part in layer}
        except Exception as error:  # the type depends on the cache that the network needs instead
            if is_out_of_memory(error):
                raise
            log.info("%s: %s", self._network.config.model_type, error)
            return False
        return sizes == {2}

    def _read(self, sequences: list[Tensor], caches: list[PaddedCache]) -> tuple[Tensor, list[PaddedCache]]:
        """Read one batch of new tokens.

        Returns the logits after each sequence, (rows, vocab_size) float32, and the new cache of each.
        """
        tokens = _pad_left(sequences)
        cache = _shared_batch(caches) or _new_batch(caches)
        past = cache.get_seq_length()
        lengths = [cache.length + len(ids) for cache, ids in zip(caches, sequences, strict=True)]
        mask = _mask(lengths, past + tokens.shape[1], self.device)
        logits = self._logits(tokens, mask, cache, keep=1)[:, -1]
        layers = tuple((layer.keys, layer.values) for layer in cache.layers)
        after = [PaddedCache() for _ in caches]
        for row, (longer, length) in enumerate(zip(after, lengths, strict=True)):
            longer.length, longer.layers = length, layers
            longer.row, longer.padding = row, mask.shape[1] - length
        return logits, after

    def _score_all(self, sequences: list[Tensor]) -> TokenScores:
        """Scores of each token but the first of sequences that are padded on the left: (rows, columns - 1)."""
        tokens = _pad_left(sequences)
        mask = _mask(list(map(len, sequences)), tokens.shape[1], self.device)
        cache = DynamicCache()
        none = torch.zeros(len(tokens), 0, device=self.device)
        parts = [TokenScores(none, none.bool())]
        step = max(1, _MAX_LOGITS // len(tokens))
        for start in range(0, tokens.shape[1], step):
            end = min(start + step, tokens.shape[1])
            targets = tokens[:, start + 1 : end + 1]
            logits = self._logits(tokens[:, start:end], mask[:, :end], cache)[:, : targets.shape[1]]
            parts.append(TokenScores.of(logits, targets))
        return TokenScores.join(parts)

    def _logits(self, tokens: Tensor, mask: Tensor, cache: Any, keep: int = 0) -> Tensor:
        """Logits after new tokens, which are added to the cache.

        tokens: (rows, new columns). mask: (rows, all columns), False for padding. keep: number of last columns whose
        logits are needed, 0 for all. Returns (rows, columns, vocab_size) float32, with all columns or those needed.
        """
        positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -tokens.shape[1] :]
        arguments = {"position_ids": positions, "logits_to_keep": keep}
        output = self._network(
            input_ids=tokens,
            attention_mask=mask.long(),
            past_key_values=cache,
            use_cache=True,
            **{name: value for name, value in arguments.items() if name in self._arguments},
        )
        logits: Tensor = output.logits
        return logits.float()


def _batches(lengths: Sequence[int], pasts: Sequence[int]) -> Iterator[list[int]]:
    """Divide sequences into batches of bounded size, and yield the indices of each.

    lengths: numbers of new tokens. pasts: numbers of tokens before them. Padding is before all tokens of a sequence, so
    the new tokens of sequences that have tokens before them must be equally many.
    """
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda index: (pasts[index] > 0, lengths[index])):
        if batch:
            same_kind = (pasts[index] > 0) == (pasts[batch[0]] > 0)
            aligned = not pasts[index] or lengths[index] == lengths[batch[0]]
            if not (same_kind and aligned and (len(batch) + 1) * lengths[index] <= _MAX_TOKENS):
                yield sorted(batch)
                batch = []
        batch.append(index)
    if batch:
        yield sorted(batch)


def _pad_left(sequences: Sequence[Tensor]) -> Tensor:
    """Join sequences to (rows, columns); padding is token 0."""
    columns = max(map(len, sequences))
    return torch.stack([F.pad(ids, (columns - len(ids), 0)) for ids in sequences])


def _mask(lengths: Sequence[int], columns: int, device: torch.device) -> Tensor:
    """(rows, columns) bool: the last `length` columns of each row."""
    starts = columns - torch.tensor(lengths, device=device)
    return torch.arange(columns, device=device) >= starts[:, None]


def _shared_batch(caches: Sequence[PaddedCache]) -> Any:
    """The batch whose rows are the sequences of `caches`, in this order and with no others; None if there is none."""
    layers = caches[0].layers
    if not layers or len(layers[0][0]) != len(caches):
        return None
    columns = layers[0][0].shape[2]
    for row, cache in enumerate(caches):
        if cache.layers is not layers or cache.row != row or cache.padding + cache.length != columns:
            return None
    return _as_transformers(layers)


def _new_batch(caches: Sequence[PaddedCache]) -> Any:
    """Join sequences to a batch, with padding on the left."""
    columns = max(cache.length for cache in caches)
    if not columns:
        return DynamicCache()
    layers = []
    for layer in range(len(caches[0].layers)):
        rows = [cache.own(layer) for cache in caches]
        padded = [
            torch.stack([F.pad(part, (0, 0, columns - part.shape[1], 0)) for part in parts])
            for parts in zip(*rows, strict=True)
        ]
        layers.append((padded[0], padded[1]))
    return _as_transformers(layers)


def _as_transformers(layers: Sequence[tuple[Tensor, Tensor]]) -> Any:
    """A cache of transformers with these keys and values, which does not change them.

    All layers keep all tokens. A layer with a sliding window gets a mask that hides the tokens before the window.
    """
    cache = DynamicCache()
    for keys, values in layers:
        layer = DynamicLayer()
        layer.dtype, layer.device = keys.dtype, keys.device
        layer.keys, layer.values = keys, values
        layer.is_initialized = True
        cache.layers.append(layer)
    return cache
