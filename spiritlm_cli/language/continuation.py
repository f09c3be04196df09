"""A prompt that is being continued: what may come next, what has come, and when it is over."""

import codecs
import re
from collections.abc import Sequence as TypingSequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from spiritlm_cli.language.grammar import Grammar, State
from spiritlm_cli.language.packed import KeyValues
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.speech.durations import SpeechClock
from spiritlm_cli.tokens.sequence import Modality, Sequence, Span, SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind

# What ended it: the model, text that was to stop it, the most seconds, or the most tokens.
Reason = Literal["end", "stop", "seconds", "length"]

# A mark that ends a sentence, with what closes around it, where more follows; titles have a full stop of their own.
_SENTENCE = re.compile(
    r"(?<!\bMr)(?<!\bMrs)(?<!\bMs)(?<!\bDr)(?<!\bSt)[.!?\u2026]+[\"'\u201d\u2019)\]]*(?=\s)"
)


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


class Continuation:
    """A prompt and what has been added to it.

    tokens: ids, of both. memory: what the network keeps of those that it has seen (None: it has seen none).
    spans: what has been added, in pieces, as far as that can't change any more. reason: what ended it, if anything has.
    cut: how many tokens of the prompt's beginning were cut off.
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
        clock: SpeechClock | None = None,
        cut: int = 0,
    ) -> None:
        """limit: the most tokens that are added; clock: measures the speech that is, where its length matters."""
        self.tokens = list(prompt)
        self.memory: KeyValues | None = None
        self.generator = generator
        self.sampling = sampling
        self.cut = cut
        self.spans: list[Span] = []
        self.reason: Reason | None = None
        self._begun, self._limit = len(prompt), limit
        self._to, self._state = to, state
        self._vocabulary, self._grammar, self._clock = vocabulary, grammar, clock
        self._text = _GrowingText(sampling.stop, sampling.sentence)

    @property
    def allowed(self) -> Tensor:
        """(logits,) bool, True where a token may come next."""
        least = self.sampling.min_seconds
        held = least is not None and self._clock is not None and self._clock.seconds < least
        return self._grammar.allowed(self._state, held)

    @property
    def added(self) -> list[int]:
        """The tokens that were added, the end not among them."""
        return self.tokens[self._begun :]

    def take(self, token: int) -> None:
        """Add a token that was allowed, or end here."""
        kind = self._vocabulary.modality(token)
        if token == self._vocabulary.end:
            self._end("end")
        elif kind == "text":
            self._add(token)
            self._text.add(self._vocabulary.text_bytes(token))
            self.spans += self._text.certain()
            if self._text.stopped:
                self._end("stop")
        elif self._text.ends_sentence:
            self._end("stop")
        elif kind == "speech" and not self._in_time(token):
            self._end("seconds")
        else:
            self._add(token)
            self.spans += self._text.finish()
            if kind == "speech":
                self.spans.append(SpeechSpan((self._vocabulary.unit(token),)))
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
        self.spans += self._text.finish()
        self.reason = reason

    def _in_time(self, token: int) -> bool:
        """Whether a unit fits into the seconds that there are; if so, it is counted."""
        unit = self._vocabulary.unit(token)
        if self._clock is None or unit.kind is not Kind.HUBERT:
            return True
        return self._clock.add(unit.id, self.sampling.max_seconds)


class _GrowingText:
    """A text span that grows by bytes, of which some may yet turn out to be the beginning of what stops it."""

    def __init__(self, stop: tuple[str, ...], sentence: bool) -> None:
        self._stop, self._sentence = stop, sentence
        self._begin()

    def _begin(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = ""
        self._given = 0
        self._cut: int | None = None

    @property
    def stopped(self) -> bool:
        """Whether it has come to what stops it."""
        return self._cut is not None

    @property
    def ends_sentence(self) -> bool:
        """Whether it would stop if it ended here."""
        return self._sentence and bool(_SENTENCE.search(self._text + " "))

    def add(self, content: bytes) -> None:
        self._text += self._decoder.decode(content)
        cuts = [place for stop in self._stop if (place := self._text.find(stop)) >= 0]
        if self._sentence and (found := _SENTENCE.search(self._text)):
            cuts.append(found.end())
        self._cut = min(cuts, default=None)

    def certain(self) -> list[Span]:
        """What of it has not been given and can't be cut off any more."""
        held = max((_overlap(self._text, stop) for stop in self._stop), default=0)
        return self._give(len(self._text) - held if self._cut is None else self._cut)

    def finish(self) -> list[Span]:
        """The rest of it; another begins."""
        if self._cut is None:
            self._text += self._decoder.decode(b"", final=True)
        rest = self._give(len(self._text) if self._cut is None else self._cut)
        self._begin()
        return rest

    def _give(self, stop: int) -> list[Span]:
        part = self._text[self._given : stop]
        self._given = max(self._given, stop)
        return [TextSpan(part)] if part else []


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of the text are a beginning of `stop`."""
    return next((n for n in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:n])), 0)
