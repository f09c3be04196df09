"""The language model: continuations and likelihoods of sequences."""

from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from collections.abc import Sequence as TypingSequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

import torch
from torch import Tensor

from spiritlm_cli.batching import Batches
from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.errors import CheckpointError, TokenError
from spiritlm_cli.language.continuation import Continuation, Generation
from spiritlm_cli.language.grammar import Grammar, To
from spiritlm_cli.language.network import LlamaForCausalLM, load_network
from spiritlm_cli.language.packed import PackedLlama
from spiritlm_cli.language.placement import DeviceMap, find_devices
from spiritlm_cli.language.prompt import EncodedPrompt, Prompt
from spiritlm_cli.language.sampling import Sampling, line_generator, next_tokens
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.speech.durations import SpeechClock, Timing
from spiritlm_cli.speech.vocoder import Vocoder
from spiritlm_cli.tokens.sequence import Line, Modality, Sequence, Span

__all__ = ["Generation", "LanguageModel", "Overflow", "Score"]

T = TypeVar("T")
Overflow = Literal["refuse", "cut"]

_DEFAULT = Sampling()
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


class LanguageModel:
    """A LLaMA over text and units, with its vocabulary."""

    def __init__(
        self, network: LlamaForCausalLM, vocabulary: Vocabulary, timing: Callable[[], Timing] | None = None
    ) -> None:
        """network: its weights are taken over, and it can't be used any more. timing: gives the checkpoint's, where
        seconds of speech matter.

        Raises CheckpointError where the vocabulary has more ids than the network.
        """
        if vocabulary.size > network.config.vocab_size:
            raise CheckpointError(
                f"the tokenizer has {vocabulary.size} ids and the language model {network.config.vocab_size}"
            )
        self.network = PackedLlama(network.eval())
        self.vocabulary = vocabulary
        self.grammar = Grammar(vocabulary, network.config.vocab_size)
        self._load_timing = timing
        self._timing: Timing | None = None

    @classmethod
    def load(
        cls,
        model: str | None = "nano",
        expressive: bool = True,
        device: str = "auto",
        dtype: str | torch.dtype | None = None,
        device_map: DeviceMap | None = None,
    ) -> "LanguageModel":
        """The language model of a checkpoint: "nano", a folder, or a Hugging Face repository.

        dtype: None is float32 on a CPU and bfloat16 elsewhere. device_map: "auto" spreads the layers over all CUDA
        devices. Raises CheckpointError.
        """
        checkpoint = find_checkpoint(model)

        def timing() -> Timing:
            return Vocoder.read(
                checkpoint.vocoder(expressive), checkpoint.generator(expressive), "cpu"
            ).timing

        return cls.read(checkpoint.language_model(expressive), device, dtype, timing, device_map)

    @classmethod
    def read(
        cls,
        folder: Path,
        device: str = "auto",
        dtype: str | torch.dtype | None = None,
        timing: Callable[[], Timing] | None = None,
        device_map: DeviceMap | None = None,
    ) -> "LanguageModel":
        """The language model in a Hugging Face folder.

        It holds `config.json`, `tokenizer.model`, and the weights in `model.safetensors` or
        `pytorch_model.bin`, whole or sharded. Raises CheckpointError that names the file.
        """
        vocabulary = Vocabulary.load(folder / "tokenizer.model")
        places = find_devices(device, device_map)
        return cls(load_network(folder, places, _find_dtype(dtype, places[0])), vocabulary, timing)

    @property
    def context(self) -> int:
        """How many tokens the model can see, prompt and continuation together."""
        context: int = self.network.config.max_position_embeddings
        return context

    def generate(
        self,
        prompt: Sequence | Line | Prompt,
        to: To = "same",
        sampling: Sampling = _DEFAULT,
        key: str = "",
        overflow: Overflow = "refuse",
    ) -> Generation:
        """Continue a prompt.

        prompt: a line may end in a bare marker, which opens the span that is to be filled; `Prompt` has examples too.
        to: what the continuation is made of: "speech", "text", "any", or "same" as the prompt ends in. In the
        kind that the prompt ends in, its last span goes on; the other kind opens a new span.
        key: sets this line's random numbers apart from those of other lines with the same seed.
        overflow: what becomes of a prompt that, with one token more, is longer than the context: "refuse" it, or "cut"
        off as much of its beginning as makes room for `sampling.max_new_tokens`, or for half the context if that is
        less; examples go first, and whole.
        Raises TokenError for a unit that the model doesn't have, a prompt that is too long, or an empty
        one with "same".
        """
        continuation = self.begin(prompt, to, sampling, key, overflow)
        while (found := continuation.result()) is None:
            self._advance([continuation])
        return found

    def grow(self, continuation: Continuation) -> Iterator[Span]:
        """Go on with what `begin` gave until it is over.

        Gives what is added in pieces, each as soon as nothing can take it back: units one by one. `Sequence.of` makes
        one sequence of them, that which `generate` gives.
        """
        given = 0
        while True:
            yield from continuation.spans[given:]
            given = len(continuation.spans)
            if continuation.reason:
                return
            self._advance([continuation])

    def generate_each(
        self,
        items: Iterable[T],
        prompt: Callable[[T], Sequence | Line | Prompt],
        to: To = "same",
        sampling: Sampling = _DEFAULT,
        key: Callable[[T], str] = lambda _: "",
        samples: int = 1,
        batch_size: int = 16,
        overflow: Overflow = "refuse",
    ) -> Generator[tuple[T, Iterator[Generation]], None, None]:
        """Items in order, each with the continuations of its prompt: the same, on a CPU, as alone.

        What gives them raises what `prompt` and `generate` raise. key: of the item; that of its sample k is `key#k`.
        batch_size: how many go on together; where one is over another begins.
        """
        yield from Batches(
            items,
            lambda item: (
                self.begin(prompt(item), to, sampling, f"{key(item)}#{sample}", overflow)
                for sample in range(samples)
            ),
            self._advance,
            size=lambda _: 1.0,
            budget=batch_size,
            workers=0,
        )

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

    def begin(
        self,
        prompt: Sequence | Line | Prompt,
        to: To = "same",
        sampling: Sampling = _DEFAULT,
        key: str = "",
        overflow: Overflow = "refuse",
    ) -> Continuation:
        """A prompt to which nothing has been added yet; arguments and errors are those of `generate`."""
        prompt = Prompt.of(prompt)
        kind = prompt.ends_in if to == "same" else to
        if kind is None:
            raise TokenError("the prompt is empty, so what is to follow must be said: text, speech or any")
        encoded = prompt.encode(self.vocabulary, None if kind == "any" else kind)
        return self.begin_encoded(encoded, kind, sampling, key, overflow, prompt.heard)

    def begin_encoded(
        self,
        prompt: EncodedPrompt,
        to: Modality | Literal["any"],
        sampling: Sampling,
        key: str = "",
        overflow: Overflow = "refuse",
        heard: TypingSequence[int] = (),
    ) -> Continuation:
        """The same of a prompt's tokens. heard: the phonetic units that it ends in; how long the next ones last depends
        on them too.
        """
        whole = len(prompt)
        if whole >= self.context and overflow == "cut":
            room = self.context - min(sampling.max_new_tokens, self.context // 2)
            prompt = prompt.cut(room, self.vocabulary)
        ids = prompt.checked(self.context).tokens
        if sampling.one_span:
            # the marker that ends it must be allowed
            to = "any"
        limit = min(sampling.max_new_tokens, self.context - len(ids))
        state = self.grammar.start(to, *self.vocabulary.last_span(ids))
        return Continuation(
            ids, to, state, limit, sampling, line_generator(sampling.seed, key), self.vocabulary, self.grammar,
            SpeechClock(self._find_timing(), heard) if sampling.timed else None, cut=whole - len(ids),
        )  # fmt: skip

    @torch.inference_mode()
    def _advance(self, rows: TypingSequence[Continuation]) -> list[Generation | None]:
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

    def _read(self, rows: list[Continuation]) -> list[Tensor]:
        """Prompts into memory, some at a time. Returns of each what `last_hidden` says of its last token."""
        hidden: list[Tensor] = []
        while len(hidden) < len(rows):
            first = stop = len(hidden)
            while stop < len(rows) and (
                stop == first or sum(len(row.tokens) for row in rows[first : stop + 1]) <= _TOKENS_AT_ONCE
            ):
                stop += 1
            memories = [self.network.new_memory() for _ in rows[first:stop]]
            prompts = [torch.tensor(row.tokens, device=self._device) for row in rows[first:stop]]
            hidden += [states[-1:] for states in self.network.last_hidden(prompts, memories)]
            for row, memory in zip(rows[first:stop], memories, strict=True):
                row.memory = memory
        return hidden

    def _find_timing(self) -> Timing:
        if self._timing is None:
            if self._load_timing is None:
                raise CheckpointError(
                    "seconds of speech are known to a checkpoint's vocoder, and there is none"
                )
            self._timing = self._load_timing()
        return self._timing

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
