"""Generation by vLLM: large batches on a GPU, with the same grammar, stop conditions and results as `LanguageModel`.

A vLLM request has one fixed set of allowed tokens. When that set changes during a continuation (after a marker, or once
`min_seconds` is reached), the request is aborted and a new one continues it; vLLM's prefix cache keeps what was
computed. A token counts only once `Hypothesis.append` has accepted it.
"""

import os
import sys
from collections.abc import Callable, Iterator
from collections.abc import Sequence as TypingSequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spiritlm_cli.checkpoints import Checkpoint, find_checkpoint
from spiritlm_cli.checkpoints.slamkit import is_slamkit, read_values
from spiritlm_cli.console import is_verbose
from spiritlm_cli.errors import CheckpointError, SpiritLMError
from spiritlm_cli.language.generator import TokenGenerator
from spiritlm_cli.language.hypothesis import Generation, Hypothesis
from spiritlm_cli.language.loading import has_sliding_window, is_packed, read_config
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.language.vocabulary_loading import load_vocabulary
from spiritlm_cli.third_party import needs_extra
from spiritlm_cli.vocoder.durations import DurationPredictor

# vLLM's upper limit.
_MAX_TEMPERATURE = 2.0


@dataclass(frozen=True, eq=False)
class _Request:
    """A running vLLM request. allowed: the mask it was submitted with, (vocab_size,) bool."""

    hypothesis: Hypothesis
    allowed: Tensor


class VllmGenerator(TokenGenerator):
    """A language model that vLLM runs: on a GPU, or on a CPU if vLLM is built for it."""

    def __init__(
        self,
        engine: Any,
        vocabulary: Vocabulary,
        vocab_size: int,
        context_length: int,
        load_durations: Callable[[], DurationPredictor] | None = None,
    ) -> None:
        """engine: vLLM's LLMEngine of a model with this vocabulary. The other arguments are `TokenGenerator`'s."""
        super().__init__(vocabulary, vocab_size, context_length, load_durations)
        self._engine = engine
        self._requests: dict[str, _Request] = {}
        self._request_ids = map(str, count())

    @classmethod
    def load(
        cls, model: str | Checkpoint | None = "nano", expressive: bool = True, dtype: str | None = None
    ) -> "VllmGenerator":
        """Load the language model of a checkpoint: see `find_checkpoint`.

        dtype: None is float32 on a CPU and bfloat16 elsewhere. Raises CheckpointError; MissingPackageError without
        vLLM; SpiritLMError if vLLM can't run the model on this machine.
        """
        checkpoint = find_checkpoint(model)
        folder = checkpoint.language_model(expressive)
        if is_slamkit(folder):
            raise CheckpointError(
                f"{folder}: vLLM can't read the form of slamkit; "
                f"spiritlm models convert {folder} -o NEW-FOLDER writes one that it can"
            )
        values = read_values(folder / "config.json")
        if not is_packed(values):
            window = " with a sliding window" if has_sliding_window(values) else ""
            raise CheckpointError(
                f"{folder}: --engine vllm is for LLaMA, Qwen 2 and Mistral without a sliding window; this is "
                f"{values.get('model_type')}{window}, which runs without --engine vllm"
            )
        vocabulary = load_vocabulary(folder, checkpoint.text_tokenizer)
        config = read_config(folder / "config.json")
        if vocabulary.size > config.vocab_size:
            raise CheckpointError(
                f"{folder / 'config.json'}: vocab_size is {config.vocab_size}, fewer than the tokenizer's "
                f"{vocabulary.size} ids"
            )
        load_durations = partial(DurationPredictor.load, checkpoint, expressive)
        engine = _start_engine(folder, dtype)
        return cls(engine, vocabulary, config.vocab_size, config.max_position_embeddings, load_durations)

    def _advance(self, hypotheses: TypingSequence[Hypothesis]) -> list[Generation | None]:
        """Run one step of vLLM, which generates about one token for each request."""
        self._abort_others(hypotheses)
        running = {id(request.hypothesis) for request in self._requests.values()}
        for hypothesis in hypotheses:
            if id(hypothesis) not in running:
                self._submit(hypothesis)
        try:
            outputs = self._engine.step()
        # any exception means that the engine has stopped; vLLM has logged the cause on stderr
        except Exception as error:
            raise SpiritLMError(f"vLLM has failed: {error}") from error
        for output in outputs:
            self._process_output(output.request_id, output.outputs[0])
        return [hypothesis.result() for hypothesis in hypotheses]

    def _abort_others(self, hypotheses: TypingSequence[Hypothesis]) -> None:
        """Abort requests whose hypotheses were dropped by the caller."""
        current = set(map(id, hypotheses))
        requests = self._requests.items()
        self._abort([name for name, request in requests if id(request.hypothesis) not in current])

    def _submit(self, hypothesis: Hypothesis) -> None:
        request_id, allowed = next(self._request_ids), hypothesis.allowed
        self._engine.add_request(
            request_id,
            {"prompt_token_ids": list(hypothesis.ids)},
            sampling_params(
                hypothesis, allowed, [*self.vocabulary.eos_ids, *self.vocabulary.marker_ids.values()]
            ),
        )
        self._requests[request_id] = _Request(hypothesis, allowed)

    def _process_output(self, request_id: str, output: Any) -> None:
        """Append the new tokens of a request, and resubmit the hypothesis if its mask has changed."""
        request = self._requests.get(request_id)
        if request is None:  # aborted after vLLM had computed this output
            return
        hypothesis = request.hypothesis
        mask_changed = False
        for token in output.token_ids:
            hypothesis.append(token)
            mask_changed = hypothesis.finish_reason is None and not torch.equal(
                hypothesis.allowed, request.allowed
            )
            if hypothesis.finish_reason or mask_changed:
                break
        if output.finish_reason:
            del self._requests[request_id]
        elif hypothesis.finish_reason or mask_changed:
            self._abort([request_id])
        if hypothesis.finish_reason is None and request_id not in self._requests:
            self._submit(hypothesis)

    def _abort(self, request_ids: list[str]) -> None:
        if request_ids:
            self._engine.abort_request(request_ids)
        for request_id in request_ids:
            del self._requests[request_id]


def sampling_params(hypothesis: Hypothesis, allowed: Tensor, stop_ids: list[int]) -> Any:
    """Build vLLM's SamplingParams for the next tokens of a hypothesis.

    allowed: (vocab_size,) bool. stop_ids: tokens that end the request, after which a new one continues the hypothesis.
    Raises SpiritLMError for a temperature that vLLM does not accept.
    """
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    sampling = hypothesis.sampling
    if not sampling.greedy and sampling.temperature > _MAX_TEMPERATURE:
        raise SpiritLMError(
            f"vLLM accepts temperatures up to {_MAX_TEMPERATURE:g}, not {sampling.temperature:g}"
        )
    # vLLM accepts about a thousand ids, allowed or forbidden: either speech or text is the shorter list
    allows_few = bool(allowed.sum() * 2 <= len(allowed))
    ids = (allowed if allows_few else ~allowed).nonzero()[:, 0].tolist()
    return SamplingParams(
        temperature=0.0 if sampling.greedy else sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        min_p=sampling.min_p,
        repetition_penalty=sampling.repetition_penalty,
        # a request that continues another one draws other random numbers
        seed=hypothesis.generator.initial_seed() + len(hypothesis.ids),
        max_tokens=hypothesis.remaining,
        stop_token_ids=stop_ids,
        allowed_token_ids=ids if allows_few else None,
        logit_bias=None if allows_few else dict.fromkeys(ids, float("-inf")),
        detokenize=False,
        output_kind=RequestOutputKind.DELTA,
    )


def _start_engine(folder: Path, dtype: str | None) -> Any:
    """Start vLLM's engine on a Hugging Face folder. Raises MissingPackageError, SpiritLMError."""
    # vLLM logs to stdout by default, which is for tokens alone
    os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "INFO" if is_verbose() else "ERROR")
    with _stdout_to_stderr():
        with needs_extra("vllm", extra="vllm", purpose="--engine vllm"):
            from vllm import LLM
            from vllm.platforms import current_platform
        try:
            return LLM(
                model=str(folder),
                skip_tokenizer_init=True,
                trust_remote_code=False,
                dtype=dtype or ("float32" if current_platform.is_cpu() else "bfloat16"),
                disable_log_stats=True,
                enable_prefix_caching=True,
                # on a CPU, vLLM does not support chunked prefill together with seeds
                enable_chunked_prefill=False if current_platform.is_cpu() else None,
            ).llm_engine
        # the type of the exception depends on what the machine lacks
        except Exception as error:
            raise SpiritLMError(f"vLLM can't run the language model in {folder}: {error}") from error


@contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """Redirect stdout to stderr, for this process and for the processes it starts."""
    sys.stdout.flush()
    saved = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(saved, 1)
        os.close(saved)
