"""`continuation`: transcripts of the speech with which the language model continues clips, and their likelihoods.

Two forms are known: that of GSLM (Lakhotia et al. 2021), and that of slamkit, in which recent models are compared.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from typing import Literal

import numpy as np

from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.batching import Outcome
from spiritlm_cli.errors import AudioError, TokenError
from spiritlm_cli.evaluation.judges.asr import Asr
from spiritlm_cli.evaluation.judges.text_lm import TextLanguageModel
from spiritlm_cli.evaluation.records import Record
from spiritlm_cli.language.generator import GenerationRequest
from spiritlm_cli.language.hypothesis import Generation
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.manifests.clip import Clip, Waveform
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.vocoder.vocoder import Vocoder

Form = Literal["gslm", "slamkit"]

# Seconds of a clip that are the prompt.
PROMPT_SECONDS = 3.0
# The most tokens of a second of speech: 25 phonetic, 12.5 pitch and 1 style unit.
_TOKENS_PER_SECOND = 40


@dataclass(frozen=True)
class ContinuationItem:
    """A clip to continue. temperature: None is the clip itself, its own continuation."""

    clip: Clip
    temperature: float | None

    @property
    def id(self) -> str:
        """Unique among the items of a run."""
        return f"{self.clip.id}@{'original' if self.temperature is None else format(self.temperature, 'g')}"

    @property
    def source(self) -> str:
        """The clip's file."""
        return str(self.clip.source)


@dataclass(frozen=True, eq=False)
class Continuation:
    """Continues the beginnings of clips, transcribes what results, and scores the transcripts.

    form: gslm limits a continuation to the rest of the clip, and compares texts in lower case. sampling: without the
    temperature; max_new_tokens of None is what the rest of the clip needs, for gslm. save: told the continuation of an
    item as speech, with its prompt; returns its path.
    """

    tokenizer: SpeechTokenizer
    language_model: LanguageModel
    vocoder: Vocoder
    recognizer: Asr
    text_lm: TextLanguageModel
    form: Form
    sampling: Sampling
    prompt_seconds: float = PROMPT_SECONDS
    speaker: str | None = None
    batch_size: int = 16
    save: Callable[[ContinuationItem, Waveform], str] | None = None

    def measure(
        self, items: Iterable[ContinuationItem]
    ) -> Iterator[tuple[ContinuationItem, Outcome[Record]]]:
        """Yield each item with its record, in order.

        A record has temperature, prompt, continuation and text (the transcripts of the prompt, of the continuation and
        of both together), nll and nll_continuation (negative log-likelihoods in nats: of the text, and of the
        continuation given the prompt), text_tokens and continuation_tokens (their numbers), seconds (of the
        continuation), tokens, finished, truncated, context (the most tokens that the model reads)
        and audio (the path of a saved WAV file, or None). The outcome raises
        AudioError for a clip that is not longer than the prompt.
        """
        spoken: dict[str, tuple[Waveform, SpeechSpan]] = {}

        def request(item: ContinuationItem) -> GenerationRequest:
            waveform = self._read(item.clip)
            prompt, _ = self._split(waveform)
            span = merge_streams(self.tokenizer.encode(prompt))
            spoken[item.id] = (waveform, span)
            return GenerationRequest(
                Sequence.of([span]), "speech", self._sampling(item, waveform), item.id, "cut"
            )

        pending: deque[ContinuationItem] = deque()

        def to_generate() -> Iterator[ContinuationItem]:
            for item in items:
                pending.append(item)
                if item.temperature is not None:
                    yield item

        def originals() -> Iterator[tuple[ContinuationItem, Outcome[Record]]]:
            while pending and pending[0].temperature is None:
                item = pending.popleft()
                yield item, Outcome.of(partial(self._original, item))

        stream = self.language_model.generate_stream(to_generate(), request, 1, self.batch_size)
        for item, outcome in stream:
            yield from originals()
            yield pending.popleft(), outcome.map(partial(self._generated, item, spoken))
        yield from originals()

    def _read(self, clip: Clip) -> Waveform:
        waveform = read_clip(clip)
        if waveform.seconds <= self.prompt_seconds:
            raise AudioError(
                f"{clip.source}: {waveform.seconds:.2f} s, which is not longer than the prompt of "
                f"{self.prompt_seconds:g} s"
            )
        return waveform

    def _split(self, waveform: Waveform) -> tuple[Waveform, Waveform]:
        """The prompt, and the rest."""
        end = round(self.prompt_seconds * waveform.rate)
        return Waveform(waveform.samples[:end], waveform.rate), Waveform(
            waveform.samples[end:], waveform.rate
        )

    def _sampling(self, item: ContinuationItem, waveform: Waveform) -> Sampling:
        assert item.temperature is not None
        limit = self.sampling.max_new_tokens or ceil(
            (waveform.seconds - self.prompt_seconds) * _TOKENS_PER_SECOND
        )
        return replace(self.sampling, temperature=item.temperature, max_new_tokens=limit)

    def _original(self, item: ContinuationItem) -> Record:
        waveform = self._read(item.clip)
        prompt, rest = self._split(waveform)
        return self._scored(prompt, rest, waveform) | {"temperature": None, "seconds": rest.seconds}

    def _generated(
        self,
        item: ContinuationItem,
        spoken: dict[str, tuple[Waveform, SpeechSpan]],
        generation: Generation,
    ) -> Record:
        """The record of a continuation. Without speech in it, its transcript is empty."""
        original, span = spoken.pop(item.id)
        prompt = self.vocoder.decode(span, speaker=self.speaker)
        try:
            rest = self.vocoder.decode(generation.sequence, speaker=self.speaker, prompt=span)
        except TokenError:
            rest = Waveform(prompt.samples[:0], prompt.rate)
        if self.form == "gslm":
            end = round((original.seconds - self.prompt_seconds) * rest.rate)
            rest = Waveform(rest.samples[:end], rest.rate)
        whole = _joined(prompt, rest)
        return self._scored(prompt, rest, whole) | {
            "temperature": item.temperature,
            "seconds": rest.seconds,
            "tokens": len(generation.ids),
            "finished": generation.finished,
            "truncated": generation.truncated,
            "context": self.language_model.context_length,
            "audio": self.save(item, whole) if self.save else None,
        }

    def _scored(self, prompt: Waveform, rest: Waveform, whole: Waveform) -> Record:
        """Transcripts and their likelihoods."""
        texts = [self.recognizer.transcribe(waveform).strip() for waveform in (prompt, rest, whole)]
        if self.form == "gslm":
            texts = [text.lower() for text in texts]
        context, continuation, text = texts
        space = " " if context and continuation else ""
        score, continued = self.text_lm.score([text, space + continuation], ["", context])
        return {
            "prompt": context,
            "continuation": continuation,
            "text": text,
            "nll": -score.log_likelihood,
            "text_tokens": score.tokens,
            "nll_continuation": -continued.log_likelihood,
            "continuation_tokens": continued.tokens,
        }


def _joined(first: Waveform, second: Waveform) -> Waveform:
    return Waveform(np.concatenate([first.samples, second.samples]), first.rate)
