"""Parallel pairs of speech and its transcript, one or several in a training sequence."""

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, pairwise

import numpy as np

from spiritlm_cli.language.tasks import Task
from spiritlm_cli.tokens.sequence import Line, Sequence, Span, TextSpan
from spiritlm_cli.tokens.units import IntArray
from spiritlm_cli.training.aligned_units import AlignedUnits
from spiritlm_cli.training.corpus import Clips

# Largest number of pairs in a sequence: ten examples and a query.
PAIRS = 11
# Largest number of words in a phrase of a splice.
PHRASE = 4
# Number of clips that are kept with their words cut.
_CACHED = 4096

DrawPairs = Callable[[random.Random], list[AlignedUnits]]


@dataclass(frozen=True, eq=False)
class LabeledSequence:
    """A sequence whose units and characters are labeled.

    words: for each span, (units,) or (characters,) int64: the index of the word in the sequence, −1 for none. Speech
    and text of the same word have the same index. Empty if the words are unknown. answers: likewise the index of the
    answer that a unit or character is a part of, −1 for none; empty if there are no answers.
    """

    sequence: Sequence
    words: tuple[IntArray, ...] = ()
    answers: tuple[IntArray, ...] = ()


def speech_first(pairs: Iterable[AlignedUnits]) -> LabeledSequence:
    """Build a sequence of pairs, each as speech followed by text."""
    return _labeled(pairs, lambda pair, text: (pair, text))


def text_first(pairs: Iterable[AlignedUnits]) -> LabeledSequence:
    """Build a sequence of pairs, each as text followed by speech."""
    return _labeled(pairs, lambda pair, text: (text, pair))


class TranscriptionExamples:
    """Builds sequences of pairs in the format of the task asr: speech, then its transcript between two markers."""

    def __init__(self) -> None:
        self._task = Task.load("asr")

    def __call__(self, pairs: Iterable[AlignedUnits]) -> LabeledSequence:
        """Build a sequence with one example for each pair."""

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
    answers: list[IntArray] = []
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
            # the second part of each pair answers the first
            answers.append(np.full(len(label), len(answers) // 2 if len(answers) % 2 else -1, dtype=np.int64))
        words += len(pair)
    return LabeledSequence(Sequence(tuple(spans)), tuple(labels), tuple(answers))


def _character_words(text: str, pair: AlignedUnits) -> IntArray:
    """Index of the word of each character: (characters,) int64; −1 for characters outside the pair's text.

    text: contains the pair's text. A space belongs to the word after it.
    """
    lengths = [len(word) + (index > 0) for index, word in enumerate(pair.words)]
    labels = np.full(len(text), -1, dtype=np.int64)
    first = text.index(pair.text)
    labels[first : first + len(pair.text)] = np.repeat(np.arange(len(pair)), lengths)
    return labels


class ClipPairs:
    """Draws pairs from recorded clips; all pairs of a sequence are from one speaker.

    The pairs of a sequence are consecutive stretches of one clip, random stretches, whole clips, or splices of phrases
    of several clips. The next word of a splice can't be predicted from the words before it, only from the units.
    """

    def __init__(self, clips: Clips, max_words: int) -> None:
        """clips: those without word times are left out. max_words: largest number of words in a pair."""
        self._max_words = max_words
        self._clips = clips
        self._aligned = np.flatnonzero(clips.words)
        self._of_speaker = clips.of_speakers(self._aligned)
        self._clip = lru_cache(_CACHED)(self._read)

    def _read(self, index: int) -> AlignedUnits:
        return AlignedUnits.of(self._clips.utterances[index])

    def __call__(self, rng: random.Random) -> list[AlignedUnits]:
        """Draw the pairs of one sequence, at least one."""
        # log-uniform: limits of 1, of 2 or 3, and of 4 to 7 words are equally likely; short pairs are learned first
        longest = int((self._max_words + 1) ** rng.random())
        index = int(rng.choice(self._aligned))
        clips = self._of_speaker[self._clips.speakers[index]]
        whole = clips[self._clips.words[clips] <= longest]
        sources = [
            self._successive(self._clip(index), longest, rng),
            self._random_stretches(clips, longest, rng),
        ]
        if longest > 1:
            sources += [self._spliced(clips, longest, rng)] * 2
        if len(whole):
            sources.append(self._whole(whole, rng))
        # the last words of a clip may have no units
        return take_pairs(rng.choice(sources), rng) or self(rng)

    def words(self, index: int) -> list[AlignedUnits]:
        """The words of a clip, one pair for each; a word without units of its own is joined to the next one."""
        clip = self._clip(index)
        bounds = [0]
        for stop in range(1, len(clip) + 1):
            if clip.bounds[stop] > clip.bounds[bounds[-1]]:
                bounds.append(stop)
        # words at the end that have no units are joined to the last one
        bounds[-1] = len(clip)
        return [clip.cut(first, stop) for first, stop in pairwise(bounds)]

    def _successive(self, clip: AlignedUnits, longest: int, rng: random.Random) -> Iterator[AlignedUnits]:
        first = rng.randrange(len(clip))
        while first < len(clip):
            stop = min(first + rng.randint(1, longest), len(clip))
            yield clip.cut(first, stop)
            first = stop

    def _random_stretches(self, clips: IntArray, longest: int, rng: random.Random) -> Iterator[AlignedUnits]:
        while True:
            yield self._stretch(clips, longest, rng)

    def _whole(self, clips: IntArray, rng: random.Random) -> Iterator[AlignedUnits]:
        while True:
            yield self._clip(int(rng.choice(clips)))

    def _spliced(self, clips: IntArray, longest: int, rng: random.Random) -> Iterator[AlignedUnits]:
        while True:
            remaining = rng.randint(2, longest)
            parts = []
            while remaining > 0:
                parts.append(self._stretch(clips, min(remaining, PHRASE), rng))
                remaining -= len(parts[-1])
            yield AlignedUnits.join(parts)

    def _stretch(self, clips: IntArray, longest: int, rng: random.Random) -> AlignedUnits:
        """Cut 1 to `longest` consecutive words out of one of the clips, at a random position."""
        clip = self._clip(int(rng.choice(clips)))
        words = min(rng.randint(1, longest), len(clip))
        first = rng.randint(0, len(clip) - words)
        return clip.cut(first, first + words)


def take_pairs(drawn: Iterator[AlignedUnits], rng: random.Random) -> list[AlignedUnits]:
    """Take one pair, or (with probability 1/2) 2 to `PAIRS` pairs. Pairs without units are skipped."""
    count = rng.choice((1, rng.randint(2, PAIRS)))
    return list(islice((pair for pair in drawn if pair.frames.shape[1]), count))
