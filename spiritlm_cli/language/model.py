"""The language model: continuations and likelihoods of sequences."""

from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

import torch
from torch import Tensor

from spiritlm_cli.batching import Batches
from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.errors import CheckpointError, TokenError
from spiritlm_cli.language.allowed import To, allowed_tokens
from spiritlm_cli.language.network import LlamaForCausalLM, load_network
from spiritlm_cli.language.packed import KeyValues, PackedLlama
from spiritlm_cli.language.sampling import Sampling, line_generator, next_token
from spiritlm_cli.language.vocabulary import Modality, Vocabulary, last_modality
from spiritlm_cli.speech.device import find_device
from spiritlm_cli.tokens.sequence import Sequence

T = TypeVar("T")

_DEFAULT = Sampling()
# Tokens that are scored at once: enough rows for a matrix product to be quick.
_TOKENS_AT_ONCE = 2048


@dataclass(frozen=True)
class Generation:
    """A continuation, without its prompt.

    ids: its tokens, without the end. finished: whether the model ended it, and not the limit.
    """

    sequence: Sequence
    ids: tuple[int, ...]
    finished: bool


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


@dataclass(frozen=True, eq=False)
class _Row:
    """A prompt to be continued. allowed: (logits,) bool; limit: the most tokens that are added."""

    ids: list[int]
    allowed: Tensor
    limit: int
    generator: torch.Generator


class LanguageModel:
    """A LLaMA over text and units, with its vocabulary."""

    def __init__(self, network: LlamaForCausalLM, vocabulary: Vocabulary) -> None:
        """network: its weights are taken over, and it can't be used any more.

        Raises CheckpointError where the vocabulary has more ids than the network.
        """
        if vocabulary.size > network.config.vocab_size:
            raise CheckpointError(
                f"the tokenizer has {vocabulary.size} ids and the language model {network.config.vocab_size}"
            )
        self.network = PackedLlama(network.eval())
        self.vocabulary = vocabulary
        self._allowed: dict[str, Tensor] = {}

    @classmethod
    def load(
        cls,
        model: str | None = "nano",
        expressive: bool = True,
        device: str = "auto",
        dtype: str | torch.dtype | None = None,
    ) -> "LanguageModel":
        """The language model of a checkpoint: "nano", a folder, or a Hugging Face repository.

        dtype: None is float32 on a CPU and bfloat16 elsewhere. Raises CheckpointError.
        """
        return cls.read(find_checkpoint(model).language_model(expressive), device, dtype)

    @classmethod
    def read(
        cls, folder: Path, device: str = "auto", dtype: str | torch.dtype | None = None
    ) -> "LanguageModel":
        """The language model in a Hugging Face folder.

        It holds `config.json`, `tokenizer.model`, and the weights in `model.safetensors` or
        `pytorch_model.bin`, whole or sharded. Raises CheckpointError that names the file.
        """
        vocabulary = Vocabulary.load(folder / "tokenizer.model")
        place = find_device(device)
        return cls(load_network(folder, place, _find_dtype(dtype, place)), vocabulary)

    @property
    def context(self) -> int:
        """How many tokens the model can see, prompt and continuation together."""
        context: int = self.network.config.max_position_embeddings
        return context

    def generate(
        self, prompt: Sequence, to: To = "same", sampling: Sampling = _DEFAULT, key: str = ""
    ) -> Generation:
        """Continue a prompt.

        to: what the continuation is made of: "speech", "text", "any", or "same" as the prompt ends in. In the
        kind that the prompt ends in, its last span goes on; the other kind opens a new span.
        key: sets this line's random numbers apart from those of other lines with the same seed.
        Raises TokenError for a unit that the model doesn't have, a prompt that fills the context, or an empty
        one with "same".
        """
        return self._continue_batch([self._row(prompt, to, sampling, key)], sampling)[0]

    def generate_each(
        self,
        items: Iterable[T],
        prompt: Callable[[T], Sequence],
        to: To = "same",
        sampling: Sampling = _DEFAULT,
        key: Callable[[T], str] = lambda _: "",
        samples: int = 1,
        batch_size: int = 16,
    ) -> Generator[tuple[T, Iterator[Generation]], None, None]:
        """Items in order, each with the continuations of its prompt: the same, on a CPU, as alone.

        What gives them raises what `prompt` and `generate` raise. key: of the item; that of its sample k is `key#k`.
        batch_size: how many go on together.
        """
        yield from Batches(
            items,
            lambda item: self._samples(prompt(item), to, sampling, key(item), samples),
            partial(self._continue_batch, sampling=sampling),
            size=lambda _: 1.0,
            budget=batch_size,
            workers=0,
        )

    def _samples(
        self, prompt: Sequence, to: To, sampling: Sampling, key: str, samples: int
    ) -> Iterator["_Row"]:
        for sample in range(samples):
            yield self._row(prompt, to, sampling, f"{key}#{sample}")

    def score(self, sequence: Sequence, given: Sequence | None = None) -> Score:
        """How likely a sequence is; with `given`, how likely it is to follow that, of which nothing is counted.

        Raises TokenError for a unit that the model doesn't have, or more tokens than its context holds.
        """
        return self._score_batch([self._scored(sequence, given)])[0]

    def score_each(
        self,
        items: Iterable[T],
        sequence: Callable[[T], Sequence],
        given: Callable[[T], Sequence | None] | None = None,
    ) -> Generator[tuple[T, Callable[[], Score]], None, None]:
        """Items in order, each with what gives the score of its sequence: the same, to the last bit on a CPU, as alone.

        That raises what `sequence`, `given` and `score` raise. Sequences go through the network together, without
        padding.
        """
        batches = Batches(
            items,
            lambda item: [self._scored(sequence(item), given(item) if given else None)],
            self._score_batch,
            size=lambda scored: len(scored.ids),
            budget=_TOKENS_AT_ONCE,
            workers=0,
        )
        for item, scores in batches:
            yield item, partial(next, scores)

    def score_ids(self, ids: list[int]) -> Score:
        """How likely each of `ids` is after those before it; the first is given. Raises TokenError."""
        return self._score_batch([self._checked(_Scored(ids, 1))])[0]

    def _scored(self, sequence: Sequence, given: Sequence | None) -> "_Scored":
        before, after = self.vocabulary.encode_after(given or Sequence(), sequence)
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

    def continue_ids(
        self, prompt: list[int], to: Modality | Literal["any"], sampling: Sampling, key: str = ""
    ) -> Iterator[int]:
        """The tokens after a prompt's as they are drawn, the end token too; otherwise as `generate`."""
        row = self._row_of(prompt, to, sampling, key)
        for ((_, token),) in self._steps([row], sampling):
            yield token

    def _row(self, prompt: Sequence, to: To, sampling: Sampling, key: str) -> "_Row":
        kind = self._target(prompt, to)
        return self._row_of(
            self.vocabulary.encode(prompt, None if kind == "any" else kind), kind, sampling, key
        )

    def _row_of(
        self, ids: list[int], kind: Modality | Literal["any"], sampling: Sampling, key: str
    ) -> "_Row":
        room = self.context - len(ids)
        if room < 1:
            raise TokenError(
                f"the prompt has {len(ids)} tokens; with what is to follow, "
                f"it must fit into the model's context of {self.context}"
            )
        limit = min(sampling.max_new_tokens, room)
        return _Row(ids, self._allowed_tokens(kind), limit, line_generator(sampling.seed, key))

    def _continue_batch(self, rows: Collection["_Row"], sampling: Sampling) -> list[Generation]:
        rows = list(rows)
        added: list[list[int]] = [[] for _ in rows]
        for drawn in self._steps(rows, sampling):
            for place, token in drawn:
                added[place].append(token)
        generations = []
        for tokens in added:
            finished = tokens[-1] == self.vocabulary.end
            ids = tokens[:-1] if finished else tokens
            generations.append(Generation(self.vocabulary.decode(ids), tuple(ids), finished))
        return generations

    @torch.inference_mode()
    def _steps(self, rows: list["_Row"], sampling: Sampling) -> Iterator[list[tuple[int, int]]]:
        """Of each step the places of the rows that go on, and the token that each gets; the end token is the last."""
        past = [self.network.new_memory() for _ in rows]
        tokens = [list(row.ids) for row in rows]
        going = list(range(len(rows)))
        hidden = self._read(tokens, past)
        while going:
            logits = self.network.next_logits(hidden).cpu()
            drawn = []
            for place, of_one in zip(going, logits, strict=True):
                row = rows[place]
                before = torch.tensor(tokens[place] if sampling.repetition_penalty != 1 else [])
                drawn.append((place, next_token(of_one, row.allowed, before, sampling, row.generator)))
                tokens[place].append(drawn[-1][1])
            yield drawn
            going = [
                place
                for place, token in drawn
                if token != self.vocabulary.end
                and len(tokens[place]) - len(rows[place].ids) < rows[place].limit
            ]
            if going:
                latest = [torch.tensor(tokens[place][-1:], device=self._device) for place in going]
                hidden = self.network.last_hidden(latest, [past[place] for place in going])

    def _read(self, prompts: list[list[int]], past: list[KeyValues]) -> list[Tensor]:
        """Prompts into memory, some at a time. Returns of each what `last_hidden` says of its last token."""
        hidden: list[Tensor] = []
        while len(hidden) < len(prompts):
            first = stop = len(hidden)
            while stop < len(prompts) and (
                stop == first or sum(map(len, prompts[first : stop + 1])) <= _TOKENS_AT_ONCE
            ):
                stop += 1
            some = [torch.tensor(ids, device=self._device) for ids in prompts[first:stop]]
            hidden += [states[-1:] for states in self.network.last_hidden(some, past[first:stop])]
        return hidden

    def _target(self, prompt: Sequence, to: To) -> Modality | Literal["any"]:
        if to != "same":
            return to
        kind = last_modality(prompt)
        if kind is None:
            raise TokenError("the prompt is empty, so what is to follow must be said: text, speech or any")
        return kind

    def _allowed_tokens(self, to: Modality | Literal["any"]) -> Tensor:
        if to not in self._allowed:
            self._allowed[to] = allowed_tokens(self.vocabulary, to, self.network.config.vocab_size)
        return self._allowed[to]

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
