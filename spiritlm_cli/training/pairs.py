"""Parallel pairs: speech and the text it says side by side, one or several in a sequence."""

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from spiritlm_cli.interleaving.interleave import Utterance
from spiritlm_cli.language.tasks import Task
from spiritlm_cli.tokens.sequence import Line, Sequence, Span, TextSpan
from spiritlm_cli.tokens.units import IntArray
from spiritlm_cli.training.aligned_units import AlignedUnits

# Pairs of the longest sequence: ten examples and a question.
PAIRS = 11
# Words of a splice's longest phrase.
PHRASE = 4

DrawPairs = Callable[[random.Random], list[AlignedUnits]]


@dataclass(frozen=True, eq=False)
class LabeledSequence:
    """A sequence, and the word that each part of it belongs to.

    words: for each span an index for each unit or character, counted through the sequence, −1 for none; speech and text
    of the same word have the same index. Empty where no words are known.
    """

    sequence: Sequence
    words: tuple[IntArray, ...] = ()


def speech_first(pairs: Iterable[AlignedUnits]) -> LabeledSequence:
    """Each pair as its speech, then its text."""
    return _labeled(pairs, lambda pair, text: (pair, text))


def text_first(pairs: Iterable[AlignedUnits]) -> LabeledSequence:
    """Each pair as its text, then its speech."""
    return _labeled(pairs, lambda pair, text: (text, pair))


class TranscriptionExamples:
    """Makes sequences of pairs in the form of the task asr: speech, then its transcript between two marks."""

    def __init__(self) -> None:
        self._task = Task.load("asr")

    def __call__(self, pairs: Iterable[AlignedUnits]) -> LabeledSequence:
        """One example a pair."""

        def example(pair: AlignedUnits, text: TextSpan) -> tuple[AlignedUnits, TextSpan]:
            line = Line(Sequence.of([pair.speech()[0], text]))
            marked = self._task.build_example(line).spans[1]
            assert isinstance(marked, TextSpan)
            return pair, marked

        return _labeled(pairs, example)


Form = Callable[[Iterable[AlignedUnits]], LabeledSequence]
_Part = AlignedUnits | TextSpan


def _labeled(
    pairs: Iterable[AlignedUnits], form: Callable[[AlignedUnits, TextSpan], tuple[_Part, _Part]]
) -> LabeledSequence:
    spans: list[Span] = []
    labels: list[IntArray] = []
    words = 0
    for pair in pairs:
        for part in form(pair, TextSpan(pair.text)):
            if isinstance(part, TextSpan):
                span: Span = part
                label = _character_words(part.text, pair)
            else:
                span, label = part.speech()
            spans.append(span)
            labels.append(np.where(label >= 0, label + words, -1))
        words += len(pair)
    return LabeledSequence(Sequence(tuple(spans)), tuple(labels))


def _character_words(text: str, pair: AlignedUnits) -> IntArray:
    """The word of each character of `text`, which contains the pair's text; a space belongs to the word after it."""
    lengths = [len(word) + (index > 0) for index, word in enumerate(pair.words)]
    labels = np.full(len(text), -1, dtype=np.int64)
    first = text.index(pair.text)
    labels[first : first + len(pair.text)] = np.repeat(np.arange(len(pair)), lengths)
    return labels


class ClipPairs:
    """Draws pairs from recorded clips, those of one sequence from one speaker.

    They are successive stretches of one clip, or stretches of any clips, or whole clips, or splices of phrases from
    several clips. What a splice says can't be predicted from its words, so the units have to be used.
    """

    def __init__(self, utterances: Iterable[tuple[str, Utterance]], most: int) -> None:
        """utterances: with their speakers; most: words of the longest pair.

        Raises AlignmentError and ValueError as `AlignedUnits.of` does.
        """
        self._most = most
        self._clips: list[tuple[str, AlignedUnits]] = []
        self._of_speaker: dict[str, list[AlignedUnits]] = {}
        for speaker, utterance in utterances:
            clip = AlignedUnits.of(utterance)
            self._clips.append((speaker, clip))
            self._of_speaker.setdefault(speaker, []).append(clip)

    def __call__(self, rng: random.Random) -> list[AlignedUnits]:
        # as many sequences of single words as of two or three, or of four to seven: short pairs are learned first
        longest = int((self._most + 1) ** rng.random())
        speaker, clip = rng.choice(self._clips)
        clips = self._of_speaker[speaker]
        whole = [clip for clip in clips if len(clip) <= longest]
        ways = [self._successive(clip, longest, rng), self._apart(clips, longest, rng)]
        if longest > 1:
            ways += [self._spliced(clips, longest, rng)] * 2
        if whole:
            ways.append(self._whole(whole, rng))
        return take_pairs(rng.choice(ways), rng)

    def _successive(self, clip: AlignedUnits, longest: int, rng: random.Random) -> Iterator[AlignedUnits]:
        first = rng.randrange(len(clip))
        while first < len(clip):
            stop = min(first + rng.randint(1, longest), len(clip))
            yield clip.cut(first, stop)
            first = stop

    def _apart(self, clips: list[AlignedUnits], longest: int, rng: random.Random) -> Iterator[AlignedUnits]:
        while True:
            yield _stretch(rng.choice(clips), longest, rng)

    def _whole(self, clips: list[AlignedUnits], rng: random.Random) -> Iterator[AlignedUnits]:
        while True:
            yield rng.choice(clips)

    def _spliced(self, clips: list[AlignedUnits], longest: int, rng: random.Random) -> Iterator[AlignedUnits]:
        while True:
            left = rng.randint(2, longest)
            parts = []
            while left > 0:
                parts.append(_stretch(rng.choice(clips), min(left, PHRASE), rng))
                left -= len(parts[-1])
            yield AlignedUnits.join(parts)


def take_pairs(drawn: Iterator[AlignedUnits], rng: random.Random) -> list[AlignedUnits]:
    """One pair for half of the sequences, else 2 to `PAIRS`, without those that have no units."""
    count = rng.choice((1, rng.randint(2, PAIRS)))
    return list(islice((pair for pair in drawn if pair.frames.shape[1]), count))


def _stretch(clip: AlignedUnits, longest: int, rng: random.Random) -> AlignedUnits:
    """Up to `longest` successive words of a clip, anywhere in it."""
    words = min(rng.randint(1, longest), len(clip))
    first = rng.randint(0, len(clip) - words)
    return clip.cut(first, first + words)
