"""A prompt that is being continued: what may come next, what has come, and when it is over."""

from collections.abc import Sequence as TypingSequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from spiritlm_cli.language.grammar import Grammar, State
from spiritlm_cli.language.llama import KVCache
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.language.stopping import GrowingSpeech, GrowingText
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.tokens.sequence import Modality, Sequence, Span
from spiritlm_cli.tokens.units import Kind, Unit
from spiritlm_cli.vocoder.durations import DurationTracker

# What ended it: the model, text that was to stop it, the most seconds, or the most tokens.
Reason = Literal["end", "stop", "seconds", "length"]


@dataclass(frozen=True)
class Generation:
    """A continuation, without its prompt.

    ids: its tokens, without the end; where text stopped it, with that. reason: what ended it. cut: how many tokens of
    the prompt's beginning were cut off.
    """

    sequence: Sequence
    ids: tuple[int, ...]
    reason: Reason
    cut: int = 0

    @property
    def finished(self) -> bool:
        """Whether it came to its own end, and not to a limit."""
        return self.reason in ("end", "stop")


class Hypothesis:
    """A prompt and what has been added to it.

    tokens: ids, of both. memory: what the network keeps of those that it has seen (None: it has seen none).
    spans: what has been added, in pieces, as far as that can't change any more. reason: what ended it, if anything has.
    cut: how many tokens of the prompt's beginning were cut off. shared: how many of the first others have as well.
    repeated: whether others have all of them.
    """

    def __init__(
        self,
        prompt: TypingSequence[int],
        to: Modality | Literal["any"],
        state: State,
        limit: int,
        sampling: Sampling,
        generator: torch.Generator,
        vocabulary: Vocabulary,
        grammar: Grammar,
        clock: DurationTracker | None = None,
        cut: int = 0,
        shared: int = 0,
    ) -> None:
        """limit: the most tokens that are added; clock: measures the speech that is, where its length matters."""
        self.tokens = list(prompt)
        self.memory: KVCache | None = None
        self.generator = generator
        self.sampling = sampling
        self.cut, self.shared = cut, shared
        self.repeated = False
        self.spans: list[Span] = []
        self.reason: Reason | None = None
        self._begun, self._limit = len(prompt), limit
        self._to, self._state = to, state
        self._vocabulary, self._grammar, self._clock = vocabulary, grammar, clock
        self._text = GrowingText(sampling.stop, sampling.sentence)
        self._speech = GrowingSpeech(sampling.stop_units)

    @property
    def allowed(self) -> Tensor:
        """(logits,) bool, True where a token may come next."""
        state, held = self._state, self._held
        if held and self.sampling.one_span and state is State.FREE_SPEECH:
            # another span would be the end too
            state = State.SPEECH
        return self._grammar.allowed(state, held)

    @property
    def _held(self) -> bool:
        """Whether it can't end as yet, for there is too little speech."""
        return self._clock is not None and self._clock.seconds < (self.sampling.min_seconds or 0)

    @property
    def added(self) -> list[int]:
        """The tokens that were added, the end not among them."""
        return self.tokens[self._begun :]

    @property
    def left(self) -> int:
        """The most that may still be added."""
        return self._limit - (len(self.tokens) - self._begun)

    def take(self, token: int) -> None:
        """Add a token that was allowed, or end here."""
        kind = self._vocabulary.modality(token)
        if token == self._vocabulary.end:
            self._end("end")
        elif kind == "text":
            self._add(token)
            self._text.add(self._vocabulary.text_bytes(token))
        elif kind == "speech":
            unit = self._vocabulary.unit(token)
            if self._in_time(unit):
                self._add(token)
                self._speech.add(unit, stops=not self._held)
            else:
                self._end("seconds")
        elif self._text.ends_sentence or (self.sampling.one_span and self._state is not State.START):
            self._end("stop")
        else:
            self._add(token)
            self.spans += [*self._text.finish(), *self._speech.finish()]
        self.spans += [*self._text.certain(), *self._speech.certain()]
        if self._text.stopped or self._speech.stopped:
            self._end("stop")
        if self.reason is None and len(self.tokens) - self._begun >= self._limit:
            self._end("length")

    def result(self) -> Generation | None:
        """What has become of it, once it is over."""
        if self.reason is None:
            return None
        return Generation(Sequence.of(self.spans), tuple(self.added), self.reason, self.cut)

    def _add(self, token: int) -> None:
        self.tokens.append(token)
        self._state = self._grammar.after(self._state, token, self._to)

    def _end(self, reason: Reason) -> None:
        self.spans += [*self._text.finish(), *self._speech.finish()]
        self.reason = reason

    def _in_time(self, unit: Unit) -> bool:
        """Whether a unit fits into the seconds that there are; if so, it is counted."""
        if self._clock is None or unit.kind is not Kind.HUBERT:
            return True
        return self._clock.add(unit.id, self.sampling.max_seconds)
