"""`stsp`: whether the language model continues a text or a clip in the same sentiment, as text or as speech.

Speech-text sentiment preservation, of the paper of Spirit LM (arXiv 2402.05755): a classifier of text or of speech
gives the sentiment of each continuation.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Sequence as TypingSequence
from dataclasses import dataclass, field
from functools import partial
from math import ceil

from spiritlm_cli.audio.reading import read_audio
from spiritlm_cli.batching import Outcome
from spiritlm_cli.console import log
from spiritlm_cli.errors import CheckpointError, ManifestError, TokenError
from spiritlm_cli.evaluation.judges.speech_classifier import SpeechClassifier
from spiritlm_cli.evaluation.judges.text_classifier import TextClassifier
from spiritlm_cli.evaluation.records import Record
from spiritlm_cli.evaluation.stsp_data import SENTIMENT_OF_EMOTION, SENTIMENTS, ShotRecord, StspRecord
from spiritlm_cli.evaluation.stsp_directions import Direction, input_of, output_of
from spiritlm_cli.language.hypothesis import Generation, Hypothesis
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.prompt import EncodedPrompt
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.sequence import Sequence, Span, SpeechSpan, TextSpan
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.vocoder.vocoder import Vocoder

# Limits on generated tokens, of the paper's appendix D.
MAX_NEW_TOKENS: Mapping[Direction, int] = {"t2t": 50, "t2s": 200, "s2t": 50, "s2s": 300}
# The released script generates this many for both directions to speech.
RELEASED_MAX_NEW_TOKENS: Mapping[Direction, int] = {**MAX_NEW_TOKENS, "t2s": 300}
# How often a continuation is drawn from which no speech can be synthesized, as in the released script.
TRIES = 3
# Labels in a message.
_MAX_SHOWN = 12


@dataclass(frozen=True)
class StspItem:
    """A record to continue in a direction. run: number of the repetition, from 0; each has its own seed."""

    record: StspRecord
    direction: Direction
    run: int

    @property
    def id(self) -> str:
        """Unique among the items of a run."""
        return f"{self.direction}/{self.record.set}/{self.record.id}/{self.run}"

    @property
    def source(self) -> str:
        """The record's line."""
        return self.record.source


@dataclass(frozen=True)
class _Input:
    """An input. label: of its classifier, None without one."""

    span: Span
    label: str | None


@dataclass(frozen=True, eq=False)
class Stsp:
    """Continues inputs, and classifies inputs and continuations.

    tokenizer, vocoder: None if no direction needs them. text_classifier, speech_classifier: None if no output is of
    their modality; inputs of that modality are then not classified. sampling: of all directions; its seed is that of
    run 0. max_new_tokens: of each direction. shots: ids of the examples before each input, by direction and run.
    reads_item: False leaves the input out of prompts with examples. save: told the waveform of each item's speech,
    returns its path.
    """

    language_model: LanguageModel
    sampling: Sampling
    tokenizer: SpeechTokenizer | None = None
    vocoder: Vocoder | None = None
    text_classifier: TextClassifier | None = None
    speech_classifier: SpeechClassifier | None = None
    speaker: str | None = None
    max_new_tokens: Mapping[Direction, int] = field(default_factory=lambda: MAX_NEW_TOKENS)
    shots: Mapping[tuple[Direction, int], tuple[list[int], ...]] = field(default_factory=dict)
    reads_item: bool = True
    batch_size: int = 16
    save: Callable[[StspItem, Waveform], str] | None = None

    def measure(self, items: Iterable[StspItem]) -> Iterator[tuple[StspItem, Outcome[Record]]]:
        """Yield each item with its record, in order.

        A record has set, direction, run, reference (the sentiment), input (predicted of the input, None without its
        classifier), pred (predicted of the continuation, None if there is no speech), generation (text, or None),
        audio (the path of a saved WAV file, or None), tokens, finished, truncated, context (the most tokens that the
        model reads) and tries. The outcome raises ManifestError for a record that lacks what its direction needs, and
        AudioError.
        """
        inputs: dict[str, _Input] = {}

        def start(item: StspItem) -> list[Hypothesis]:
            inputs[item.id] = self._read(item)
            return [self._start(item, inputs[item.id], 0)]

        for item, outcome in self.language_model.advance_stream(items, start, self.batch_size):
            yield item, outcome.map(partial(self._record, item, inputs))

    def encode_shots(self, shots: Iterable[ShotRecord], direction: Direction) -> tuple[list[int], ...]:
        """The token ids of solved examples: marker and input, marker and output, and a line end.

        Raises TokenError for units that the model does not have, and AudioError.
        """
        vocabulary = self.language_model.vocabulary
        start = vocabulary.start_length

        def encoded(part: str | object, half: int) -> list[int]:
            span: Span = (
                TextSpan(part) if isinstance(part, str) else self._encode(_half(read_audio(part), half))  # type: ignore[arg-type]
            )
            return vocabulary.encode(Sequence.of([span]))[start:]

        return tuple(
            encoded(shot.prompt, 0) + encoded(shot.generation, 1) + vocabulary.encode_text("\n")
            for shot in shots
        )

    def _read(self, item: StspItem) -> _Input:
        """The input of an item, with its label."""
        item.record.label()
        if input_of(item.direction) == "text":
            text = item.record.text
            classified = self.text_classifier.classify(text).label if self.text_classifier else None
            return _Input(TextSpan(text), classified)
        waveform = read_audio(item.record.audio)
        classified = self.speech_classifier.classify(waveform).label if self.speech_classifier else None
        return _Input(self._encode(waveform), classified)

    def _encode(self, waveform: Waveform) -> SpeechSpan:
        assert self.tokenizer is not None
        return merge_streams(self.tokenizer.encode(waveform))

    def _start(self, item: StspItem, given: _Input, attempt: int) -> Hypothesis:
        """Encode the prompt of an item. Raises TokenError."""
        vocabulary, output = self.language_model.vocabulary, output_of(item.direction)
        shots = self.shots.get((item.direction, item.run), ())
        line = Sequence.of([given.span]) if self.reads_item or not shots else Sequence()
        ids = vocabulary.encode(line, output)
        if shots and line.ends_in == output and output in vocabulary.marker_ids:
            ids.append(vocabulary.marker_ids[output])  # as the examples have it
        return self.language_model.start_encoded(
            EncodedPrompt(ids, shots, vocabulary.start_length),
            output,
            Sampling(
                temperature=self.sampling.temperature,
                top_p=self.sampling.top_p,
                max_new_tokens=self.max_new_tokens[item.direction],
                seed=self.sampling.seed + item.run,
            ),
            f"{item.id}#{attempt}",
            "cut",
        )

    def _record(self, item: StspItem, inputs: dict[str, _Input], generation: Generation) -> Record:
        """Classify a continuation. If there is no speech in it, another one is drawn, `TRIES` in all."""
        given = inputs.pop(item.id)
        label: str | None = None
        audio: str | None = None
        text: str | None = None
        tries = 1
        if output_of(item.direction) == "text":
            text = generation.sequence.text
            assert self.text_classifier is not None
            label = self.text_classifier.classify(text).label
        else:
            waveform = self._synthesize(item, given, generation)
            while waveform is None and tries < TRIES:
                generation = self._generate(item, given, tries)
                waveform = self._synthesize(item, given, generation)
                tries += 1
            if waveform is not None:
                assert self.speech_classifier is not None
                label = self.speech_classifier.classify(waveform).label
                audio = self.save(item, waveform) if self.save else None
        return {
            "set": item.record.set,
            "item": item.record.id,
            "direction": item.direction,
            "run": item.run,
            "reference": item.record.label(),
            "input": sentiment_of(given.label),
            "pred": sentiment_of(label),
            "generation": text,
            "audio": audio,
            "tokens": len(generation.ids),
            "finished": generation.finished,
            "truncated": generation.truncated,
            "context": self.language_model.context_length,
            "tries": tries,
        }

    def _generate(self, item: StspItem, given: _Input, attempt: int) -> Generation:
        hypotheses = self.language_model.advance_stream(
            [item], lambda item: [self._start(item, given, attempt)], 1
        )
        return next(iter(hypotheses))[1].result()

    def _synthesize(self, item: StspItem, given: _Input, generation: Generation) -> Waveform | None:
        """The speech of a continuation alone, without that of the input; None if there is none."""
        assert self.vocoder is not None
        prompt = given.span if isinstance(given.span, SpeechSpan) and self.reads_item else None
        try:
            return self.vocoder.decode(generation.sequence, speaker=self.speaker, prompt=prompt)
        except TokenError:
            return None


def sentiment_of(label: str | None) -> str | None:
    """The sentiment of a classifier's label: itself, or that of an emotion; any other label in lower case."""
    if label is None:
        return None
    name = label.lower()
    return name if name in SENTIMENTS else SENTIMENT_OF_EMOTION.get(name, name)


def check_labels(labels: Iterable[str], source: str) -> None:
    """Check that a classifier can predict sentiments, and warn if it can't predict some. source: the classifier.

    Raises CheckpointError, with the labels, if none of them is a sentiment or an emotion that has one.
    """
    labels = list(labels)
    predicted = {sentiment_of(label) for label in labels}
    missing = [sentiment for sentiment in SENTIMENTS if sentiment not in predicted]
    if not missing:
        return
    shown = ", ".join(f"{label[:40]!a}" for label in labels[:_MAX_SHOWN]) + ", …" * (len(labels) > _MAX_SHOWN)
    if len(missing) == len(SENTIMENTS):
        expected = ", ".join(dict.fromkeys((*SENTIMENTS, *SENTIMENT_OF_EMOTION)))
        raise CheckpointError(
            f"{source}: its labels are {shown}, and none is a sentiment or an emotion that has one ({expected}); take "
            "another classifier, or name the labels in id2label of its config.json"
        )
    log.warning("%s: no label of it is %s, which it can't predict: %s", source, " or ".join(missing), shown)


def draw_shots(pool: TypingSequence[ShotRecord], count: int, seed: int, source: object) -> list[ShotRecord]:
    """Draw ⌈count / 3⌉ examples of each sentiment, in random order. source: of the pool, for the error.

    Raises ManifestError if there are too few.
    """
    rng = random.Random(seed)
    drawn: list[ShotRecord] = []
    for sentiment in SENTIMENTS:
        members = [shot for shot in pool if shot.sentiment == sentiment]
        needed = ceil(count / len(SENTIMENTS))
        if len(members) < needed:
            raise ManifestError(f"{source}: {len(members)} {sentiment} examples, and {needed} are needed")
        drawn += rng.sample(members, needed)
    rng.shuffle(drawn)
    return drawn


def _half(waveform: Waveform, half: int) -> Waveform:
    """The first (0) or the second (1) half of a waveform."""
    middle = len(waveform.samples) // 2
    return Waveform(waveform.samples[middle:] if half else waveform.samples[:middle], waveform.rate)
