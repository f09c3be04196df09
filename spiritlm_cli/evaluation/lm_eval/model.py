"""A language model as the harness sees it: log-likelihoods and continuations of text.

What the network reads is the start token, the marker `[TEXT]`, and the text, as in training. Log-likelihoods do not
depend on the batch size, nor on the other requests.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch

from spiritlm_cli.checkpoints import combine_parts
from spiritlm_cli.console import log
from spiritlm_cli.errors import OptionError, SpiritLMError, TokenError
from spiritlm_cli.language.hypothesis import Hypothesis
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.prompt import EncodedPrompt
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.language.scoring import Score, ScoredChoices, ScoredIds
from spiritlm_cli.third_party import needs_extra
from spiritlm_cli.tokens.sequence import Sequence

with needs_extra("lm_eval", extra="lm-eval", purpose="its tasks"):
    from lm_eval.api.model import LM
    from lm_eval.api.registry import register_model
    from lm_eval.models.utils import normalize_gen_kwargs
    from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
    from tqdm import tqdm

# What the harness passes if no device is given.
_DEFAULT_DEVICE = "cuda:0"
# Continuations at once if the harness is to choose (`--batch_size auto`).
_BATCH_SIZE = 16
# The generation options of the harness that have the same name here.
_SAMPLING = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")


@dataclass(frozen=True)
class _TextPrompt:
    """A text to continue. ids: what the network reads. key: as in `GenerationRequest`."""

    ids: list[int]
    sampling: Sampling
    key: str


@register_model("spiritlm")
class SpiritLM(LM):  # type: ignore[misc]
    """The model `spiritlm` of the harness."""

    def __init__(
        self,
        pretrained: str | None = None,
        lm: str | None = None,
        text_tokenizer: str | None = None,
        units: str = "expressive",
        device: str | None = None,
        dtype: str | None = None,
        batch_size: int | str = "auto",
        max_batch_size: int | None = None,
        max_length: int | None = None,
        max_gen_toks: int = 256,
        marker: bool = True,
        seed: int = 0,
    ) -> None:
        """Load a language model. The harness passes the values of its option `--model_args`.

        pretrained, lm, text_tokenizer: see `combine_parts`. units: "expressive" or "base", which of the release's
        models. device: None is "auto", and so is "cuda:0" without CUDA: it is the harness's default. dtype: None or
        "auto" is that of `LanguageModel.load`. batch_size: number of continuations at once, "auto" is 16.
        max_batch_size: not used. max_length: number of tokens of a context and its continuation, at most the network's
        context, which is the default. max_gen_toks: limit on generated tokens for tasks that set none. marker: whether
        text begins with `[TEXT]`. seed: of sampling.
        Raises SpiritLMError if the model can't be loaded, has no text, or an option is out of range.
        """
        super().__init__()
        if units not in ("base", "expressive"):
            raise OptionError(f"units must be base or expressive, not {units}")
        if not isinstance(marker, bool):
            raise OptionError(f"marker must be True or False, not {marker}")
        checkpoint = combine_parts(pretrained, lm=lm, text_tokenizer=text_tokenizer)
        if device == _DEFAULT_DEVICE and not torch.cuda.is_available():
            device = "auto"
        self._model = LanguageModel.load(
            checkpoint, units == "expressive", device or "auto", None if dtype == "auto" else dtype
        )
        self._device = self._model.network.device
        vocabulary = self._model.vocabulary
        self._encode = vocabulary.encode_text
        self._encode("a")
        # before every text, even if its beginning is cut off
        self._prefix = vocabulary.encode(Sequence(), "text" if marker else None)
        # before the first token of a text
        self._start = self._prefix or list(vocabulary.eos_ids[:1])
        if not self._start:
            raise SpiritLMError(
                "the model has no start or end token that text can follow; leave out marker=False"
            )
        context = self._model.context_length
        self.max_length = context if max_length is None else max_length
        if not len(self._prefix) + 2 <= self.max_length <= context:
            raise OptionError(
                f"max_length must be from {len(self._prefix) + 2} to {context}, not {max_length}"
            )
        self.batch_size = _BATCH_SIZE if str(batch_size).startswith("auto") else int(batch_size)
        self.max_gen_toks, self._seed = max_gen_toks, seed

    def loglikelihood(self, requests: list[Any], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """Compute log P(continuation | context), and whether greedy decoding would generate the continuation.

        requests: instances of the harness, whose arguments are the context and the continuation.
        """
        texts = [self._encode_pair(*request.args) for request in requests]
        self._warn_of_cuts(sum(len(text.ids) > self.max_length for text in texts), len(texts))
        results: list[tuple[float, bool]] = [(0.0, True)] * len(requests)
        for index, score in self._score([self._cut(text) for text in texts], "loglikelihood", disable_tqdm):
            results[index] = score.log_likelihood, score.greedy
            self.cache_hook.add_partial("loglikelihood", requests[index].args, results[index])
        return results

    def loglikelihood_rolling(self, requests: list[Any], disable_tqdm: bool = False) -> list[float]:
        """Compute log P(text) of texts of any length, each token once.

        A long text is divided into windows: each but the first begins with tokens that are not scored.
        """
        windows: list[ScoredIds] = []
        owners: list[int] = []
        for index, request in enumerate(requests):
            (text,) = request.args
            windows += list(self._windows(self._encode(text)))
            owners += [index] * (len(windows) - len(owners))
        totals = [0.0] * len(requests)
        unfinished = Counter(owners)
        for window, score in self._score(windows, "loglikelihood_rolling", disable_tqdm):
            index = owners[window]
            totals[index] += score.log_likelihood
            unfinished[index] -= 1
            if not unfinished[index]:
                self.cache_hook.add_partial("loglikelihood_rolling", requests[index].args, totals[index])
        return totals

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        """Continue texts until a stop text, the end token or the maximum length.

        requests: instances of the harness, whose arguments are the context and the generation options.
        """
        prompts = self._prompts(requests)
        results = [""] * len(requests)
        order = sorted(range(len(requests)), key=lambda index: -len(prompts[index].ids))
        stream = self._model.advance_stream(
            order, lambda index: [self._begin(prompts[index])], self.batch_size
        )
        with tqdm(total=len(order), desc="Running generate_until requests", disable=disable_tqdm) as bar:
            for index, outcome in stream:
                results[index] = outcome.result().sequence.text
                self.cache_hook.add_partial("generate_until", requests[index].args, results[index])
                bar.update()
        return results

    def chat_template(self, chat_template: bool | str = False) -> str:
        """Refuse chat templates: raises SpiritLMError."""
        raise SpiritLMError("the model is no chat model and has no template; leave out --apply_chat_template")

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """Refuse chat templates: raises SpiritLMError."""
        return self.chat_template()

    def _encode_pair(self, context: str, continuation: str) -> ScoredIds:
        """Encode a context and its continuation as one text, whose spaces at the boundary are the continuation's.

        As in the harness's own models, the continuation's tokens are those of the whole text after as many as the
        context has alone. If there are none, it is encoded by itself.
        """
        stripped = context.rstrip()
        whole = self._encode(context + continuation)
        before = self._encode(stripped)
        start = self._prefix if before else self._start
        rest = whole[len(before) :]
        if continuation and not rest:
            rest = self._encode(context[len(stripped) :] + continuation)
        return ScoredIds([*start, *before, *rest], len(start) + len(before))

    def _cut(self, text: ScoredIds) -> ScoredIds:
        """Remove the beginning of a text that has more than `max_length` tokens.

        Raises TokenError if its continuation alone has more.
        """
        excess = max(0, len(text.ids) - self.max_length)
        if text.context - excess < max(1, len(self._prefix)):
            raise TokenError(
                f"a continuation has {len(text.ids) - text.context} tokens; the model's context is {self.max_length}"
            )
        return ScoredIds(self._keep_end(text.ids, self.max_length), text.context - excess)

    def _keep_end(self, ids: list[int], length: int) -> list[int]:
        """Keep the start token, the marker and the end of a text: `length` ids."""
        fixed = len(self._prefix)
        return [*ids[:fixed], *ids[fixed + max(0, len(ids) - length) :]]

    def _windows(self, ids: list[int]) -> Iterator[ScoredIds]:
        """Divide a text into windows that together score each of its tokens once."""
        size = self.max_length - len(self._prefix) - 1
        windows = get_rolling_token_windows(ids, self._start[-1], max_seq_len=size, context_len=1)
        for number, (before, scored) in enumerate(map(make_disjoint_window, windows)):
            context = [*self._prefix, *before] if number else self._start
            yield ScoredIds([*context, *scored], len(context))

    def _score(self, texts: list[ScoredIds], kind: str, disable_tqdm: bool) -> Iterator[tuple[int, Score]]:
        """Score texts in batches, the longest first. Yields the index of each and its score.

        One-token continuations of the same context are scored together.
        """
        long: list[int] = []
        short: dict[tuple[int, ...], list[int]] = {}
        for index, text in enumerate(texts):
            if len(text.ids) - text.context == 1:
                short.setdefault(tuple(text.ids[:-1]), []).append(index)
            else:
                long.append(index)
        long.sort(key=lambda index: -len(texts[index].ids))
        questions = sorted(short, key=lambda ids: -len(ids))
        with tqdm(total=len(texts), desc=f"Running {kind} requests", disable=disable_tqdm) as bar:
            for index, outcome in self._model.score_ids_stream(long, texts.__getitem__):
                yield index, outcome.result()
                bar.update()
            for ids, scores in self._model.score_choices_stream(
                questions,
                lambda ids: ScoredChoices(list(ids), tuple((texts[index].ids[-1],) for index in short[ids])),
            ):
                yield from zip(short[ids], scores.result(), strict=True)
                bar.update(len(short[ids]))

    def _prompts(self, requests: list[Any]) -> list[_TextPrompt]:
        """Encode the contexts of requests, cut to leave room for their continuations."""
        prompts, repeats, cut, lowered = [], Counter[str](), 0, 0
        for request in requests:
            context, options = request.args
            sampling, limit = self._sampling(options)
            room = min(limit, self.max_length // 2)
            text = self._encode(context)
            whole = [*(self._prefix if text else self._start), *text]
            ids = self._keep_end(whole, self.max_length - room)
            # a context that is repeated gets other samples
            key = f"{context}#{repeats[context]}"
            prompts.append(_TextPrompt(ids, replace(sampling, max_new_tokens=room), key))
            repeats[context] += 1
            cut += len(ids) < len(whole)
            lowered += room < limit
        self._warn_of_cuts(cut, len(requests), ", less that of the continuation")
        if lowered:
            log.warning(
                "%d of %d continuations may be longer than half the context: at most %d tokens are generated",
                lowered, len(requests), self.max_length // 2,
            )  # fmt: skip
        return prompts

    def _begin(self, prompt: _TextPrompt) -> Hypothesis:
        encoded = EncodedPrompt(prompt.ids, start_length=0)
        return self._model.start_encoded(encoded, "text", prompt.sampling, prompt.key)

    def _sampling(self, options: dict[str, Any]) -> tuple[Sampling, int]:
        """Convert the generation options of a task, and return the limit on generated tokens with them.

        Raises OptionError for options that are not supported, and for their values.
        """
        values: dict[str, Any] = dict(normalize_gen_kwargs(options, self.max_gen_toks))
        greedy = not values.pop("do_sample") or values.get("temperature") == 0
        stop, limit = values.pop("until"), values.pop("max_gen_toks")
        if values.get("num_beams") == 1:
            values.pop("num_beams")
        unknown = sorted(set(values) - set(_SAMPLING))
        if unknown:
            raise OptionError(f"generation options that are not supported: {', '.join(unknown)}")
        if greedy:
            values.pop("temperature", None)
        try:
            sampling = Sampling(
                greedy=greedy,
                max_new_tokens=limit,
                stop=tuple(text for text in stop if text),
                seed=self._seed,
                **({"temperature": 1.0, "top_p": 1.0} | values),
            )
        except ValueError as error:
            raise OptionError(f"generation options: {error}") from None
        return sampling, limit

    def _warn_of_cuts(self, cut: int, total: int, less: str = "") -> None:
        if cut:
            log.warning(
                "%d of %d texts are longer than the context, %d tokens%s: their beginning was cut off",
                cut, total, self.max_length, less,
            )  # fmt: skip
