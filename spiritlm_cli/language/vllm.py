"""Continuations by vLLM: many at once on a GPU, with the same grammar, ends and results as everywhere else.

vLLM draws the tokens, and what may be drawn is said to it for a whole request. Where that changes in the course of a
continuation (a marker has opened a span; enough seconds have passed), the request is broken off, and another goes on
from there; what has been read stays in vLLM's cache of prefixes. So it needs nothing of vLLM but what its requests
have, and a token counts when `Hypothesis` has taken it.
"""

import os
import sys
from collections.abc import Callable, Iterator
from collections.abc import Sequence as TypingSequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.config import read_json
from spiritlm_cli.console import is_verbose
from spiritlm_cli.errors import CheckpointError, SpiritLMError
from spiritlm_cli.language.generator import Engine, checkpoint_timing
from spiritlm_cli.language.hypothesis import Generation, Hypothesis
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.third_party import needs_extra
from spiritlm_cli.vocoder.durations import DurationPredictor

# The most that vLLM takes.
_HOTTEST = 2.0


@dataclass(frozen=True, eq=False)
class _Request:
    """What vLLM works on: a continuation, and which tokens it was told may be drawn, (logits,) bool."""

    row: Hypothesis
    allowed: Tensor


class VllmGenerator(Engine):
    """A language model that vLLM runs, where it finds a GPU, or on a CPU where it is built for one."""

    def __init__(
        self,
        engine: Any,
        vocabulary: Vocabulary,
        logits: int,
        context: int,
        timing: Callable[[], DurationPredictor] | None = None,
    ) -> None:
        """engine: vLLM's LLMEngine, of a model with this vocabulary; the rest as `Engine` has it."""
        super().__init__(vocabulary, logits, context, timing)
        self._engine = engine
        self._requests: dict[str, _Request] = {}
        self._names = map(str, count())

    @classmethod
    def load(
        cls, model: str | None = "nano", expressive: bool = True, dtype: str | None = None
    ) -> "VllmGenerator":
        """The language model of a checkpoint, as `LanguageModel.load` has it.

        dtype: None is float32 on a CPU and bfloat16 elsewhere. Raises CheckpointError; MissingPackageError without
        vLLM, SpiritLMError where vLLM can't run it here.
        """
        checkpoint = find_checkpoint(model)
        folder = checkpoint.language_model(expressive)
        vocabulary = Vocabulary.load(folder / "tokenizer.model")
        config = read_json(folder / "config.json")
        logits, context = config.get("vocab_size"), config.get("max_position_embeddings")
        if not (isinstance(logits, int) and isinstance(context, int) and vocabulary.size <= logits):
            raise CheckpointError(
                f"{folder / 'config.json'}: vocab_size and max_position_embeddings must be numbers, and the first at "
                f"least the tokenizer's {vocabulary.size}"
            )

        timing = checkpoint_timing(checkpoint, expressive)
        return cls(_start(folder, dtype), vocabulary, logits, context, timing)

    def _advance(self, rows: TypingSequence[Hypothesis]) -> list[Generation | None]:
        """What vLLM has made by now, a token of each as a rule."""
        # those that nobody waits for any more
        wanted = set(map(id, rows))
        self._abort([name for name, request in self._requests.items() if id(request.row) not in wanted])
        running = {id(request.row) for request in self._requests.values()}
        for row in rows:
            if id(row) not in running:
                self._ask(row)
        try:
            outputs = self._engine.step()
        # whatever it was, vLLM has said it on stderr, and can't go on
        except Exception as error:
            raise SpiritLMError(f"vLLM has failed: {error}") from error
        for output in outputs:
            self._take(output.request_id, output.outputs[0])
        return [row.result() for row in rows]

    def _ask(self, row: Hypothesis) -> None:
        name, allowed = next(self._names), row.allowed
        self._engine.add_request(
            name,
            {"prompt_token_ids": list(row.tokens)},
            sampling_params(row, allowed, [self.vocabulary.end, *self.vocabulary.markers.values()]),
        )
        self._requests[name] = _Request(row, allowed)

    def _take(self, name: str, output: Any) -> None:
        """What vLLM has added to a request since the last time."""
        request = self._requests.get(name)
        if request is None:  # broken off, and vLLM was quicker
            return
        row = request.row
        changed = False
        for token in output.token_ids:
            row.take(token)
            changed = row.reason is None and not torch.equal(row.allowed, request.allowed)
            if row.reason or changed:
                break
        if output.finish_reason:
            del self._requests[name]
        elif row.reason or changed:
            self._abort([name])
        if row.reason is None and name not in self._requests:
            self._ask(row)

    def _abort(self, names: list[str]) -> None:
        if names:
            self._engine.abort_request(names)
        for name in names:
            del self._requests[name]


def sampling_params(row: Hypothesis, allowed: Tensor, stops: list[int]) -> Any:
    """vLLM's SamplingParams for what is to follow a continuation.

    allowed: (logits,) bool; stops: tokens after which it is asked again, if it isn't over. Raises SpiritLMError where
    vLLM can't draw so.
    """
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    sampling = row.sampling
    if not sampling.greedy and sampling.temperature > _HOTTEST:
        raise SpiritLMError(f"vLLM draws at temperatures up to {_HOTTEST:g}, not {sampling.temperature:g}")
    # vLLM takes about a thousand ids of either kind: of all text, and of all that is not
    few = bool(allowed.sum() * 2 <= len(allowed))
    ids = (allowed if few else ~allowed).nonzero()[:, 0].tolist()
    return SamplingParams(
        temperature=0.0 if sampling.greedy else sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        min_p=sampling.min_p,
        repetition_penalty=sampling.repetition_penalty,
        # of a request that goes on from another, numbers of its own
        seed=row.generator.initial_seed() + len(row.tokens),
        max_tokens=row.left,
        stop_token_ids=stops,
        allowed_token_ids=ids if few else None,
        logit_bias=None if few else dict.fromkeys(ids, float("-inf")),
        detokenize=False,
        output_kind=RequestOutputKind.DELTA,
    )


def _start(folder: Path, dtype: str | None) -> Any:
    """vLLM's engine for a Hugging Face folder."""
    loud = is_verbose()
    # its log goes to stdout otherwise, which is for tokens alone
    os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "INFO" if loud else "ERROR")
    with _stdout_elsewhere():
        with needs_extra("vllm", extra="vllm", purpose="--engine vllm"):
            from vllm import LLM
            from vllm.platforms import current_platform
        try:
            return LLM(
                model=str(folder),
                skip_tokenizer_init=True,
                dtype=dtype or ("float32" if current_platform.is_cpu() else "bfloat16"),
                disable_log_stats=True,
                enable_prefix_caching=True,
                # on a CPU, prompts that are read in parts and numbers that are drawn by a seed don't go together
                enable_chunked_prefill=False if current_platform.is_cpu() else None,
            ).llm_engine
        # what comes up depends on what of the machine doesn't suit it
        except Exception as error:
            raise SpiritLMError(f"vLLM can't run the language model in {folder}: {error}") from error


@contextmanager
def _stdout_elsewhere() -> Iterator[None]:
    """Within it, what is written to stdout, by programs that are started too, goes to stderr."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
