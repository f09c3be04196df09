"""One continuation in progress: its tokens, which tokens may follow, and when it is complete."""

from collections.abc import Sequence as TypingSequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from spiritlm_cli.language.grammar import Grammar, OutputModality, State
from spiritlm_cli.language.network import Cache
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.language.stopping import StreamingSpeech, StreamingText
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.tokens.sequence import Sequence, Span
from spiritlm_cli.tokens.units import Kind, Unit
from spiritlm_cli.vocoder.durations import DurationTracker

# Why generation ended: an end token, a stop condition, `max_seconds`, or the token limit.
FinishReason = Literal["end", "stop", "seconds", "length"]


@dataclass(frozen=True)
class Generation:
    """A complete continuation, without its prompt.

    ids: generated tokens without the end token, including the tokens of a stop text. finish_reason: why generation
    ended. truncated: number of tokens removed from the beginning of the prompt.
    """

    sequence: Sequence
    ids: tuple[int, ...]
    finish_reason: FinishReason
    truncated: int = 0

    @property
    def finished(self) -> bool:
        """Whether the continuation ended by itself rather than at a limit."""
        return self.finish_reason in ("end", "stop")


class Hypothesis:
    """A prompt and the tokens generated after it.

    ids: tokens of the prompt and the continuation. kv_cache: the network's cache, None before the prompt is read.
    spans: pieces of the continuation that can no longer change. finish_reason: None while generation goes on.
    truncated: number of tokens removed from the beginning of the prompt. shared_prefix: number of leading tokens that
    other prompts share. reuse_prompt: whether the network keeps the prompt's cache for further samples of it.
    """

    def __init__(
        self,
        prompt_ids: TypingSequence[int],
        output: OutputModality,
        max_new_tokens: int,
        sampling: Sampling,
        generator: torch.Generator,
        vocabulary: Vocabulary,
        grammar: Grammar,
        tracker: DurationTracker | None = None,
        truncated: int = 0,
        shared_prefix: int = 0,
        reuse_prompt: bool = False,
    ) -> None:
        """tracker: measures the generated speech if `sampling` limits seconds."""
        self.ids = list(prompt_ids)
        self.kv_cache: Cache | None = None
        self.generator = generator
        self.sampling = sampling
        self.truncated, self.shared_prefix = truncated, shared_prefix
        self.reuse_prompt = reuse_prompt
        self.spans: list[Span] = []
        self.finish_reason: FinishReason | None = None
        self._prompt_length, self._max_new_tokens = len(prompt_ids), max_new_tokens
        self._output = output
        self._state = grammar.initial_state(output, *vocabulary.last_span(prompt_ids))
        self._vocabulary, self._grammar, self._tracker = vocabulary, grammar, tracker
        self._text = StreamingText(sampling.stop, sampling.sentence)
        self._speech = StreamingSpeech(sampling.stop_units)

    @property
    def allowed(self) -> Tensor:
        """Mask of the tokens that may come next: (vocab_size,) bool."""
        state, too_short = self._state, self._too_short
        if too_short and self.sampling.one_span and state is State.SPEECH_OR_MARKER:
            # a second span would end the continuation as well
            state = State.SPEECH
        return self._grammar.allowed(state, allow_end=not too_short)

    @property
    def _too_short(self) -> bool:
        """Whether less speech than `min_seconds` was generated."""
        return self._tracker is not None and self._tracker.seconds < (self.sampling.min_seconds or 0)

    @property
    def new_ids(self) -> list[int]:
        """The generated tokens, without the end token."""
        return self.ids[self._prompt_length :]

    @property
    def remaining(self) -> int:
        """Number of tokens that may still be generated."""
        return self._max_new_tokens - (len(self.ids) - self._prompt_length)

    def append(self, token: int) -> None:
        """Add an allowed token, or finish: at an end token, a stop condition or a limit."""
        modality = self._vocabulary.modality(token)
        if token in self._vocabulary.eos_ids:
            self._finish("end")
        elif modality == "text":
            self._add(token)
            self._text.add(self._vocabulary.text_bytes(token))
        elif modality == "speech":
            unit = self._vocabulary.unit(token)
            if self._fits_in_time(unit):
                self._add(token)
                self._speech.add(unit, may_stop=not self._too_short)
            else:
                self._finish("seconds")
        elif self._text.ends_sentence or (self.sampling.one_span and self._state is not State.START):
            self._finish("stop")
        else:
            self._add(token)
            self.spans += [*self._text.flush(), *self._speech.flush()]
        self.spans += [*self._text.ready(), *self._speech.ready()]
        if self._text.stopped or self._speech.stopped:
            self._finish("stop")
        if self.finish_reason is None and self.remaining <= 0:
            self._finish("length")

    def result(self) -> Generation | None:
        """The complete continuation, None while generation goes on."""
        if self.finish_reason is None:
            return None
        return Generation(Sequence.of(self.spans), tuple(self.new_ids), self.finish_reason, self.truncated)

    def _add(self, token: int) -> None:
        self.ids.append(token)
        self._state = self._grammar.next_state(self._state, token, self._output)

    def _finish(self, reason: FinishReason) -> None:
        self.spans += [*self._text.flush(), *self._speech.flush()]
        self.finish_reason = reason

    def _fits_in_time(self, unit: Unit) -> bool:
        """Count the unit's duration unless it exceeds `max_seconds`; return whether it was counted."""
        if self._tracker is None or unit.kind is not Kind.HUBERT:
            return True
        return self._tracker.add(unit.id, self.sampling.max_seconds)
