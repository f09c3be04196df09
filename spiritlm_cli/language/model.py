"""The language model: continuations and likelihoods of sequences."""

from collections.abc import Callable, Collection, Generator, Iterable
from collections.abc import Sequence as TypingSequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from spiritlm_cli.batching import BatchScheduler, Outcome
from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.errors import CheckpointError, TokenError
from spiritlm_cli.language.generator import Engine, Overflow, checkpoint_timing
from spiritlm_cli.language.hypothesis import Generation, Hypothesis
from spiritlm_cli.language.llama import KVCache, PackedLlama
from spiritlm_cli.language.loading import LlamaForCausalLM, load_network
from spiritlm_cli.language.placement import DeviceMap, find_devices
from spiritlm_cli.language.quantization import Quantize, check_quantize
from spiritlm_cli.language.sampling import next_tokens
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.tokens.sequence import Line, Sequence
from spiritlm_cli.vocoder.durations import DurationPredictor

__all__ = ["Generation", "LanguageModel", "Overflow", "Score"]

T = TypeVar("T")

# Tokens that are scored at once: enough rows for a matrix product to be quick.
_TOKENS_AT_ONCE = 2048


@dataclass(frozen=True)
class Score:
    """How likely a sequence is: the sum of natural logarithms over its `tokens`, which are all that was not given."""

    log_likelihood: float
    tokens: int

    @property
    def mean(self) -> float:
        """For one token; 0 where there are none."""
        return self.log_likelihood / self.tokens if self.tokens else 0.0


@dataclass(frozen=True)
class _Scored:
    """Tokens, of which the first `given` are not scored; `<s>` at least."""

    ids: list[int]
    given: int


class LanguageModel(Engine):
    """A LLaMA over text and units, with its vocabulary."""

    def __init__(
        self,
        network: LlamaForCausalLM,
        vocabulary: Vocabulary,
        timing: Callable[[], DurationPredictor] | None = None,
        quantize: Quantize | None = None,
        devices: TypingSequence[torch.device] | None = None,
    ) -> None:
        """network: its weights are taken over, and it can't be used any more. timing: gives the checkpoint's, where
        seconds of speech matter. quantize, devices: as `PackedLlama` has them.

        Raises CheckpointError where the vocabulary has more ids than the network.
        """
        if vocabulary.size > network.config.vocab_size:
            raise CheckpointError(
                f"the tokenizer has {vocabulary.size} ids and the language model {network.config.vocab_size}"
            )
        self.network = PackedLlama(network.eval(), quantize, devices)
        # a prompt of which there are more samples to come, with its memory and its last hidden state
        self._kept: dict[tuple[int, ...], tuple[KVCache, Tensor]] = {}
        # what the last prompts began with, and the memory of it
        self._shared: tuple[list[int], KVCache] | None = None
        super().__init__(
            vocabulary, network.config.vocab_size, network.config.max_position_embeddings, timing
        )

    @classmethod
    def load(
        cls,
        model: str | None = "nano",
        expressive: bool = True,
        device: str = "auto",
        dtype: str | torch.dtype | None = None,
        device_map: DeviceMap | None = None,
        quantize: Quantize | None = None,
    ) -> "LanguageModel":
        """The language model of a checkpoint: "nano", a folder, or a Hugging Face repository.

        dtype: None is float32 on a CPU and bfloat16 elsewhere. device_map: "auto" spreads the layers over all CUDA
        devices. quantize: bits of the weights, for less memory. Raises CheckpointError; MissingPackageError where
        `quantize` needs torchao, and SpiritLMError where it can't be had on the device.
        """
        checkpoint = find_checkpoint(model)

        timing = checkpoint_timing(checkpoint, expressive)
        return cls.read(checkpoint.language_model(expressive), device, dtype, timing, device_map, quantize)

    @classmethod
    def read(
        cls,
        folder: Path,
        device: str = "auto",
        dtype: str | torch.dtype | None = None,
        timing: Callable[[], DurationPredictor] | None = None,
        device_map: DeviceMap | None = None,
        quantize: Quantize | None = None,
    ) -> "LanguageModel":
        """The language model in a Hugging Face folder.

        It holds `config.json`, `tokenizer.model`, and the weights in `model.safetensors` or
        `pytorch_model.bin`, whole or sharded. Raises CheckpointError that names the file, and what `load` raises.
        """
        vocabulary = Vocabulary.load(folder / "tokenizer.model")
        places = find_devices(device, device_map)
        dtype = _find_dtype(dtype, places[0])
        if quantize is None:
            return cls(load_network(folder, places, dtype), vocabulary, timing)
        for place in places:
            check_quantize(quantize, place)
        # unquantized it is in the host's memory only: the devices may have no room for that
        network = load_network(folder, torch.device("cpu"), dtype)
        return cls(network, vocabulary, timing, quantize, places)

    def score(self, sequence: Sequence, given: Sequence | Line | None = None) -> Score:
        """How likely a sequence is; with `given`, how likely it is to follow that, of which nothing is counted; a line
        may end in a bare marker.

        Raises TokenError for a unit that the model doesn't have, or more tokens than its context holds.
        """
        return self._score_batch([self._scored(sequence, given)])[0]

    def score_stream(
        self,
        items: Iterable[T],
        sequence: Callable[[T], Sequence],
        given: Callable[[T], Sequence | Line | None] | None = None,
    ) -> Generator[tuple[T, Outcome[Score]], None, None]:
        """Score sequences in batches. Yields (item, outcome) in order; on a CPU, bit for bit the score of each alone.

        The outcome raises what `sequence`, `given` and `score` raise. BatchScheduler are packed, without padding.
        """
        yield from BatchScheduler(
            items,
            lambda item: [self._scored(sequence(item), given(item) if given else None)],
            self._score_batch,
            size=lambda scored: len(scored.ids),
            max_batch=_TOKENS_AT_ONCE,
            workers=0,
        )

    def score_ids(self, ids: list[int]) -> Score:
        """How likely each of `ids` is after those before it; the first is given. Raises TokenError."""
        return self._score_batch([self._checked(_Scored(ids, 1))])[0]

    def _scored(self, sequence: Sequence, given: Sequence | Line | None) -> "_Scored":
        line = given if isinstance(given, Line) else Line(given or Sequence())
        before, after = self.vocabulary.encode_after(line, sequence)
        return self._checked(_Scored([*before, *after], len(before)))

    def _checked(self, scored: "_Scored") -> "_Scored":
        if len(scored.ids) > self.context:
            raise TokenError(
                f"the sequence has {len(scored.ids)} tokens; the model's context is {self.context}"
            )
        return scored

    @torch.inference_mode()
    def _score_batch(self, batch: Collection["_Scored"]) -> list[Score]:
        sequences = [torch.tensor(scored.ids, device=self._device) for scored in batch]
        hidden = self.network.last_hidden(sequences)
        found = self.network.log_probabilities(
            torch.cat([states[one.given - 1 : -1] for one, states in zip(batch, hidden, strict=True)]),
            torch.cat([tokens[one.given :] for one, tokens in zip(batch, sequences, strict=True)]),
        ).double()
        counts = [len(scored.ids) - scored.given for scored in batch]
        return [
            Score(part.sum().item(), count)
            for part, count in zip(torch.split(found, counts), counts, strict=True)
        ]

    @torch.inference_mode()
    def _advance(self, rows: TypingSequence[Hypothesis]) -> list[Generation | None]:
        """One token more for each; of those that are over then, what has become of them."""
        new = [row for row in rows if row.memory is None]
        old = [row for row in rows if row.memory is not None]
        hidden = dict(zip(map(id, new), self._read(new), strict=True))
        if old:
            latest = [torch.tensor(row.tokens[-1:], device=self._device) for row in old]
            memories = [row.memory for row in old if row.memory]
            hidden.update(zip(map(id, old), self.network.last_hidden(latest, memories), strict=True))
        logits = self.network.next_logits([hidden[id(row)] for row in rows])
        allowed = torch.stack([row.allowed for row in rows]).to(logits.device)
        seen, generators = [row.tokens for row in rows], [row.generator for row in rows]
        for row, token in zip(
            rows, next_tokens(logits, allowed, seen, rows[0].sampling, generators), strict=True
        ):
            row.take(token)
        return [row.result() for row in rows]

    def _read(self, rows: list[Hypothesis]) -> list[Tensor]:
        """Prompts into memory, those that are equal once. Returns of each what `last_hidden` says of its last token."""
        prompts = [tuple(row.tokens) for row in rows]
        # the one that more samples will be made of
        read = {prompt: self._kept[prompt] for prompt in prompts if prompt in self._kept}
        new = {prompt: row for prompt, row in zip(prompts, rows, strict=True) if prompt not in read}
        read.update(zip(new, self._read_some(list(new.values())), strict=True))
        free = {prompt for prompt, row in new.items() if not row.repeated}
        for prompt, row in zip(prompts, rows, strict=True):
            memory, _ = read[prompt]
            row.memory = memory if prompt in free else memory.copy()
            free.discard(prompt)
        if rows:
            self._kept = {prompts[-1]: read[prompts[-1]]} if rows[-1].repeated else {}
        return [read[prompt][1] for prompt in prompts]

    def _read_some(self, rows: list[Hypothesis]) -> list[tuple[KVCache, Tensor]]:
        """The memory of each prompt, and what `last_hidden` says of its last token; some are read at a time."""
        found: list[tuple[KVCache, Tensor]] = []
        while len(found) < len(rows):
            first = stop = len(found)
            while stop < len(rows) and (
                stop == first
                or sum(len(row.tokens) - row.shared for row in rows[first : stop + 1]) <= _TOKENS_AT_ONCE
            ):
                stop += 1
            memories = [self._begun_memory(row) for row in rows[first:stop]]
            prompts = [
                torch.tensor(row.tokens[memory.length :], device=self._device)
                for row, memory in zip(rows[first:stop], memories, strict=True)
            ]
            hidden = self.network.last_hidden(prompts, memories)
            found += [(memory, states[-1:]) for memory, states in zip(memories, hidden, strict=True)]
        return found

    def _begun_memory(self, row: Hypothesis) -> KVCache:
        """For a prompt, with what it shares with others in it. That is read apart, whether or not it was read before:
        so nothing depends on the order of prompts."""
        start = row.tokens[: row.shared]
        if not start:
            return self.network.new_memory()
        if self._shared is None or self._shared[0] != start:
            memory = self.network.new_memory()
            self.network.last_hidden([torch.tensor(start, device=self._device)], [memory])
            self._shared = start, memory
        return self._shared[1].copy()

    @property
    def _device(self) -> torch.device:
        return self.network.device


def _find_dtype(dtype: str | torch.dtype | None, device: torch.device) -> torch.dtype:
    if dtype is None:
        return torch.float32 if device.type == "cpu" else torch.bfloat16
    found = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        raise ValueError(f"dtype must be float32, bfloat16 or float16, not {dtype}")
    return found
