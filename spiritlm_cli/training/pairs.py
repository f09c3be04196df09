"""Speech and what it says side by side, cut at words: what teaches the language model that they correspond."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from spiritlm_cli.interleaving.interleave import UnitTimeline, Utterance
from spiritlm_cli.interleaving.word_units import timed_words, unit_boundaries
from spiritlm_cli.language.tasks import Task
from spiritlm_cli.tokens.sequence import Line, Sequence, SpeechSpan, TextSpan

# At most so many pairs run together in a sequence: ten examples and a question.
PAIRS = 11
# Words of a splice's longest phrase.
PHRASE = 4


@dataclass(frozen=True)
class Pair:
    """Units and the words that they say."""

    speech: tuple[SpeechSpan, ...]
    text: str

    def to_text(self) -> tuple[SpeechSpan | TextSpan, ...]:
        """Speech first."""
        return (*self.speech, TextSpan(self.text))

    def to_speech(self) -> tuple[SpeechSpan | TextSpan, ...]:
        """Text first."""
        return (TextSpan(self.text), *self.speech)


class SpokenClip:
    """A clip that can be cut at its words."""

    def __init__(self, utterance: Utterance) -> None:
        """Raises AlignmentError where text and word times don't have the same words; ValueError without times."""
        if utterance.alignment is None:
            raise ValueError(f"{utterance.id} has no word times")
        words = timed_words(utterance.text, utterance.alignment)
        self._texts = [word.text for word in words]
        self._bounds = unit_boundaries(utterance.units, words).tolist()
        self._timeline = UnitTimeline(utterance.units)

    def __len__(self) -> int:
        """How many words it has."""
        return len(self._texts)

    def cut(self, first: int, stop: int) -> Pair:
        """Words `first` to before `stop`, without the space after the last. Words may be too short for a unit."""
        speech = self._timeline.cut(self._bounds[first], self._bounds[stop])
        return Pair((speech,), "".join(self._texts[first:stop]).strip())


class Pairs:
    """Draws parallel pairs from clips: sequences of several, of one speaker.

    They are stretches of one clip in a row, or stretches of any clips, or whole clips, or splices of phrases from
    here and there. What a splice says can't be guessed, so it has to be heard, or read.
    """

    def __init__(self, utterances: Iterable[tuple[str, Utterance]], most: int) -> None:
        """utterances: with their speakers; most: words of the longest pair.

        Raises AlignmentError and ValueError as `SpokenClip` does.
        """
        self._most = most
        self._transcription = Task.load("asr")
        self._clips: list[tuple[str, SpokenClip]] = []
        self._of_speaker: dict[str, list[SpokenClip]] = {}
        for speaker, utterance in utterances:
            clip = SpokenClip(utterance)
            self._clips.append((speaker, clip))
            self._of_speaker.setdefault(speaker, []).append(clip)

    def to_text(self, rng: random.Random) -> Sequence:
        """Pairs, each its speech first."""
        return Sequence.of(span for pair in self._draw(rng) for span in pair.to_text())

    def to_speech(self, rng: random.Random) -> Sequence:
        """Pairs, each its text first."""
        return Sequence.of(span for pair in self._draw(rng) for span in pair.to_speech())

    def examples(self, rng: random.Random) -> Sequence:
        """Pairs, each in the form of an example for transcription."""
        lines = (Line(Sequence.of(pair.to_text())) for pair in self._draw(rng))
        return Sequence.of(span for line in lines for span in self._transcription.example(line).spans)

    def _draw(self, rng: random.Random) -> list[Pair]:
        # as many sequences of single words as of two or three, or of four to seven: short pairs teach soonest
        longest = int((self._most + 1) ** rng.random())
        speaker, clip = rng.choice(self._clips)
        clips = self._of_speaker[speaker]
        whole = [clip for clip in clips if len(clip) <= longest]
        ways = [self._in_a_row(clip, longest, rng), self._apart(clips, longest, rng)]
        if longest > 1:
            ways += [self._spliced(clips, longest, rng)] * 2
        if whole:
            ways.append(self._whole(whole, rng))
        drawn = (pair for pair in rng.choice(ways) if any(span.units for span in pair.speech))
        return list(islice(drawn, rng.choice((1, rng.randint(2, PAIRS)))))

    def _in_a_row(self, clip: SpokenClip, longest: int, rng: random.Random) -> Iterator[Pair]:
        place = rng.randrange(len(clip))
        while place < len(clip):
            stop = min(place + rng.randint(1, longest), len(clip))
            yield clip.cut(place, stop)
            place = stop

    def _apart(self, clips: list[SpokenClip], longest: int, rng: random.Random) -> Iterator[Pair]:
        while True:
            yield _stretch(rng.choice(clips), longest, rng)

    def _whole(self, clips: list[SpokenClip], rng: random.Random) -> Iterator[Pair]:
        while True:
            clip = rng.choice(clips)
            yield clip.cut(0, len(clip))

    def _spliced(self, clips: list[SpokenClip], longest: int, rng: random.Random) -> Iterator[Pair]:
        while True:
            left = rng.randint(2, longest)
            parts = []
            while left > 0:
                parts.append(_stretch(rng.choice(clips), min(left, PHRASE), rng))
                left -= len(parts[-1].text.split())
            yield Pair(
                tuple(span for part in parts for span in part.speech), " ".join(part.text for part in parts)
            )


def _stretch(clip: SpokenClip, longest: int, rng: random.Random) -> Pair:
    """Some words of a clip in a row, anywhere in it."""
    words = min(rng.randint(1, longest), len(clip))
    first = rng.randint(0, len(clip) - words)
    return clip.cut(first, first + words)
