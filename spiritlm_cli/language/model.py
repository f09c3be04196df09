"""The language model: continuations and log-likelihoods of sequences."""

from collections.abc import Callable, Generator, Iterable
from collections.abc import Sequence as TypingSequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

from spiritlm_cli.batching import BatchScheduler, Outcome
from spiritlm_cli.checkpoints import Checkpoint, combine_parts
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.language.generator import TokenGenerator
from spiritlm_cli.language.hypothesis import Generation, Hypothesis
from spiritlm_cli.language.network import Cache, Network, load_network
from spiritlm_cli.language.placement import DeviceMap, find_devices, torch_dtype
from spiritlm_cli.language.quantization import Quantize
from spiritlm_cli.language.sampling import sample_tokens
from spiritlm_cli.language.scoring import (
    CountedTokens,
    Score,
    ScoredChoices,
    ScoredIds,
    score_batch,
    score_choices,
    score_tokens,
)
from spiritlm_cli.language.token_scores import TokenScores
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.language.vocabulary_loading import load_vocabulary
from spiritlm_cli.nn.device import check_finite
from spiritlm_cli.tokens.sequence import Line, Sequence
from spiritlm_cli.vocoder.durations import DurationPredictor

T = TypeVar("T")
R = TypeVar("R")
S = TypeVar("S", ScoredIds, ScoredChoices)

# Number of tokens that one pass reads: enough rows for an efficient matrix product.
_TOKENS_PER_BATCH = 2048


class LanguageModel(TokenGenerator):
    """A network over text and units, with its vocabulary."""

    def __init__(
        self,
        network: Network[Any],
        vocabulary: Vocabulary,
        load_durations: Callable[[], DurationPredictor] | None = None,
    ) -> None:
        """load_durations: as in `TokenGenerator`.

        Raises CheckpointError if the vocabulary has more ids than the network.
        """
        if vocabulary.size > network.vocab_size:
            raise CheckpointError(
                f"the tokenizer has {vocabulary.size} ids and the language model {network.vocab_size}"
            )
        super().__init__(vocabulary, network.vocab_size, network.context_length, load_durations)
        self.network = network
        # the latest prompt with further samples to come: its cache and the logits after it
        self._reusable: dict[tuple[int, ...], tuple[Cache, Tensor]] = {}
        # the latest shared beginning of prompts, and its cache
        self._shared_prefix: tuple[list[int], Cache] | None = None

    @classmethod
    def load(
        cls,
        model: str | Checkpoint | None = "nano",
        expressive: bool = True,
        device: str = "auto",
        dtype: str | torch.dtype | None = None,
        device_map: DeviceMap | None = None,
        quantize: Quantize | None = None,
        text_tokenizer: str | None = None,
    ) -> "LanguageModel":
        """Load the language model of a checkpoint.

        model: see `find_checkpoint`. dtype: None is float32 on a CPU and bfloat16 elsewhere.
        device_map: "auto" spreads the layers over all CUDA devices. quantize: "int8" or "int4" weights. text_tokenizer:
        for a model that has none of its own; see `find_text_tokenizer`. Raises CheckpointError; MissingPackageError if
        `quantize` needs torchao; SpiritLMError if the device does not support `quantize` or can't be used.
        """
        checkpoint = combine_parts(model, text_tokenizer=text_tokenizer)
        load_durations = partial(DurationPredictor.load, checkpoint, expressive)
        folder = checkpoint.language_model(expressive)
        return cls.read(
            folder, device, dtype, load_durations, device_map, quantize, checkpoint.text_tokenizer
        )

    @classmethod
    def read(
        cls,
        folder: Path,
        device: str = "auto",
        dtype: str | torch.dtype | None = None,
        load_durations: Callable[[], DurationPredictor] | None = None,
        device_map: DeviceMap | None = None,
        quantize: Quantize | None = None,
        text_tokenizer: Path | None = None,
    ) -> "LanguageModel":
        """Load the language model from its own folder.

        text_tokenizer: as in `load_vocabulary`. The other arguments and the errors are those of `load`.
        """
        vocabulary = load_vocabulary(folder, text_tokenizer)
        devices = find_devices(device, device_map)
        network = load_network(folder, devices, torch_dtype(dtype, devices[0]), quantize)
        return cls(network, vocabulary, load_durations)

    def score(
        self,
        sequence: Sequence,
        given: Sequence | Line | None = None,
        counted: CountedTokens | None = None,
    ) -> Score:
        """Compute log P(sequence | given). given: its tokens are not scored; a line may end in a bare marker.

        counted: which tokens the score counts; None: all of the sequence. Raises TokenError for a unit that the model
        does not have, or more tokens than its context.
        """
        return score_batch(self.network, [self._encode_scored(sequence, given, counted)])[0]

    def score_ids(self, ids: list[int]) -> Score:
        """Compute the log-likelihood of `ids` after the first one, which is `<s>`. Raises TokenError as `score`."""
        scored = ScoredIds(ids, 1)
        scored.check_length(self.context_length)
        return score_batch(self.network, [scored])[0]

    def score_stream(
        self,
        items: Iterable[T],
        sequence: Callable[[T], Sequence],
        given: Callable[[T], Sequence | Line | None] | None = None,
        counted: CountedTokens | None = None,
    ) -> Generator[tuple[T, Outcome[Score]], None, None]:
        """Score sequences in batches. Yields (item, outcome) in order. counted: as in `score`.

        The scores are those of each sequence alone; with `PackedLlama` on a CPU, bit for bit. The outcome raises what
        `sequence`, `given` and `score` raise.
        """
        yield from self._score_in_batches(
            items,
            lambda item: [self._encode_scored(sequence(item), given(item) if given else None, counted)],
            score_batch,
        )

    def score_ids_stream(
        self, items: Iterable[T], encode: Callable[[T], ScoredIds]
    ) -> Generator[tuple[T, Outcome[Score]], None, None]:
        """Do the same for token ids, at most as many as the context. encode: the ids of an item."""
        yield from self._score_in_batches(items, lambda item: [encode(item)], score_batch)

    def score_tokens_stream(
        self, items: Iterable[T], encode: Callable[[T], Iterable[ScoredIds]]
    ) -> Generator[tuple[T, Outcome[TokenScores]], None, None]:
        """Score each token of items that consist of one part or more. The outcome has a result for each part.

        encode: the parts of an item, each at most as long as the context.
        """
        yield from self._score_in_batches(items, encode, score_tokens)

    def score_choices_stream(
        self, items: Iterable[T], encode: Callable[[T], ScoredChoices]
    ) -> Generator[tuple[T, Outcome[tuple[Score, ...]]], None, None]:
        """Score several continuations of a context, in batches. Yields (item, outcome) in order.

        encode: the context of an item and its continuations. The outcome has their scores, in their order. If all are
        one token long, the context is read once.
        """
        yield from self._score_in_batches(items, lambda item: [encode(item)], score_choices)

    def _score_in_batches(
        self,
        items: Iterable[T],
        split: Callable[[T], Iterable[S]],
        score: Callable[[Network[Any], TypingSequence[S]], TypingSequence[R]],
    ) -> BatchScheduler[T, S, R]:
        return BatchScheduler(
            items,
            split,
            partial(score, self.network),
            size=lambda scored: scored.size,
            max_batch=_TOKENS_PER_BATCH,
            workers=0,
            memory_advice="take --dtype bfloat16, or end other programs",
        )

    def _encode_scored(
        self, sequence: Sequence, given: Sequence | Line | None, counted: CountedTokens | None
    ) -> ScoredIds:
        scored = ScoredIds.encode(sequence, given, self.vocabulary, counted)
        scored.check_length(self.context_length)
        return scored

    @torch.inference_mode()
    def _advance(self, hypotheses: TypingSequence[Hypothesis]) -> list[Generation | None]:
        """Generate one token for each hypothesis. After an exception, the hypotheses are as they were."""
        before = [
            (
                hypothesis.kv_cache,
                hypothesis.kv_cache.length if hypothesis.kv_cache else 0,
                hypothesis.generator.get_state(),
            )
            for hypothesis in hypotheses
        ]
        try:
            tokens = self._draw_tokens(hypotheses)
        except Exception:
            for hypothesis, (cache, length, state) in zip(hypotheses, before, strict=True):
                hypothesis.kv_cache = cache
                if cache:
                    cache.length = length
                hypothesis.generator.set_state(state)
            raise
        for hypothesis, token in zip(hypotheses, tokens, strict=True):
            hypothesis.append(token)
        return [hypothesis.result() for hypothesis in hypotheses]

    def _draw_tokens(self, hypotheses: TypingSequence[Hypothesis]) -> list[int]:
        """Compute the logits after each hypothesis, and draw its next token."""
        new = [hypothesis for hypothesis in hypotheses if hypothesis.kv_cache is None]
        old = [hypothesis for hypothesis in hypotheses if hypothesis.kv_cache is not None]
        rows = dict(zip(map(id, new), self._prefill(new), strict=True))
        if old:
            latest = [torch.tensor(hypothesis.ids[-1:], device=self.network.device) for hypothesis in old]
            caches = [hypothesis.kv_cache for hypothesis in old if hypothesis.kv_cache]
            rows.update(zip(map(id, old), self.network.next_logits(latest, caches), strict=True))
        logits = torch.stack([rows[id(hypothesis)] for hypothesis in hypotheses])
        check_finite([logits])
        return sample_tokens(
            logits,
            torch.stack([hypothesis.allowed for hypothesis in hypotheses]).to(logits.device),
            [hypothesis.ids for hypothesis in hypotheses],
            [hypothesis.sampling for hypothesis in hypotheses],
            [hypothesis.generator for hypothesis in hypotheses],
        )

    def _prefill(self, hypotheses: list[Hypothesis]) -> list[Tensor]:
        """Read prompts into caches, equal prompts once. Returns the logits after each, (vocab_size,) float32."""
        prompts = [tuple(hypothesis.ids) for hypothesis in hypotheses]
        results = {prompt: self._reusable[prompt] for prompt in prompts if prompt in self._reusable}
        new = {
            prompt: hypothesis
            for prompt, hypothesis in zip(prompts, hypotheses, strict=True)
            if prompt not in results
        }
        results.update(zip(new, self._read_prompts(list(new.values())), strict=True))
        # caches that one hypothesis may take without a copy
        unshared = {prompt for prompt, hypothesis in new.items() if not hypothesis.reuse_prompt}
        for prompt, hypothesis in zip(prompts, hypotheses, strict=True):
            cache, _ = results[prompt]
            hypothesis.kv_cache = cache if prompt in unshared else cache.copy()
            unshared.discard(prompt)
        if hypotheses:
            last = prompts[-1]
            self._reusable = {last: results[last]} if hypotheses[-1].reuse_prompt else {}
        return [results[prompt][1] for prompt in prompts]

    def _read_prompts(self, hypotheses: list[Hypothesis]) -> list[tuple[Cache, Tensor]]:
        """Read prompts in batches of bounded size. Returns the cache of each and the logits after it."""
        results: list[tuple[Cache, Tensor]] = []
        while len(results) < len(hypotheses):
            batch: list[Hypothesis] = []
            tokens = 0
            for hypothesis in hypotheses[len(results) :]:
                tokens += len(hypothesis.ids) - hypothesis.shared_prefix
                if batch and tokens > _TOKENS_PER_BATCH:
                    break
                batch.append(hypothesis)
            caches = [self._initial_cache(hypothesis) for hypothesis in batch]
            prompts = [
                torch.tensor(hypothesis.ids[cache.length :], device=self.network.device)
                for hypothesis, cache in zip(batch, caches, strict=True)
            ]
            results += zip(caches, self.network.next_logits(prompts, caches), strict=True)
        return results

    def _initial_cache(self, hypothesis: Hypothesis) -> Cache:
        """A cache with the prefix that the prompt shares with others.

        The prefix is always read by itself, so results do not depend on the order of prompts.
        """
        prefix = hypothesis.ids[: hypothesis.shared_prefix]
        if not prefix:
            return cast(Cache, self.network.new_cache())
        if self._shared_prefix is None or self._shared_prefix[0] != prefix:
            cache: Cache = self.network.new_cache()
            self.network.next_logits([torch.tensor(prefix, device=self.network.device)], [cache])
            self._shared_prefix = prefix, cache
        return self._shared_prefix[1].copy()
