"""Speech units for any text by unit selection from an aligned corpus.

As in concatenative synthesis (Hunt and Black 1996), but with discrete units instead of audio: the text is converted to
phones, the longest phone sequences that occur in the corpus are selected, and their units are concatenated. A few hours
of speech give an unlimited number of parallel pairs of units and text.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from spiritlm_cli.alignment.pocketsphinx import Phone, Pronouncer
from spiritlm_cli.errors import AlignmentError, ManifestError
from spiritlm_cli.tokens.units import IntArray, Units
from spiritlm_cli.training.aligned_units import AlignedUnits, frame_streams
from spiritlm_cli.training.random_words import RandomWords

SILENCE = "SIL"
# Largest number of phones in a selected stretch.
LONGEST = 7
# Largest number of matching stretches whose neighbors are compared.
CANDIDATES = 24
# Largest number of parts of texts in succession that give no pair.
_SKIPPED = 1000
# Probability of a pause after a word that ends with the character.
_PAUSES = {".": 1.0, "!": 1.0, "?": 1.0, ";": 0.9, ":": 0.9, "—": 0.8, ",": 0.75, "-": 0.5}
_CLOSING = "\"'”’)]"
_SENTENCE_ENDS = {".", "!", "?"}


@dataclass(frozen=True, eq=False)
class PhoneClip:
    """A clip of the corpus: its speaker, units and aligned phones, silences included."""

    speaker: str
    units: Units
    phones: tuple[Phone, ...]


class PhoneIndex:
    """Index of all stretches of 1 to `LONGEST` phones of one speaker, searched by their phones.

    phones: (n,) int64, codes of the phones of all clips. starts, stops: (n,) int64, first frame of each phone and the
    frame after its last. frames: (3, frames) int64, as from `frame_streams`, of all clips.
    """

    def __init__(self, clips: Iterable[PhoneClip], codes: Mapping[str, int]) -> None:
        """codes: the code of each phone, from 1. Code 0 separates clips."""
        phones, starts, stops, frames = [0], [0], [0], []
        offset = 0
        for clip in clips:
            streams = frame_streams(clip.units)
            count = streams.shape[1]
            bounds = [min(count, int(np.ceil(phone.start * 25 - 0.5))) for phone in clip.phones]
            bounds.append(min(count, int(np.ceil(clip.phones[-1].end * 25 - 0.5))) if clip.phones else 0)
            phones += [*(codes[phone.phone] for phone in clip.phones), 0]
            starts += [*(offset + bound for bound in bounds[:-1]), offset + bounds[-1]]
            stops += [*(offset + bound for bound in bounds[1:]), offset + bounds[-1]]
            frames.append(streams)
            offset += count
        # zeros at the end, so that slices after the last phone stay within the array
        self.phones = np.array([*phones, *[0] * LONGEST], dtype=np.int64)
        self.starts = np.array([*starts, *[offset] * LONGEST], dtype=np.int64)
        self.stops = np.array([*stops, *[offset] * LONGEST], dtype=np.int64)
        self.frames: IntArray = np.concatenate(frames, axis=1)
        self._base = 1 + max(codes.values())
        self._sorted: list[tuple[IntArray, NDArray[np.intp]]] = []
        hashes = np.zeros(len(self.phones), dtype=np.int64)
        for length in range(1, LONGEST + 1):
            following = np.zeros(len(self.phones), dtype=np.int64)
            following[: len(self.phones) - length + 1] = self.phones[length - 1 :]
            hashes = hashes * self._base + following
            order = np.argsort(hashes, kind="stable")
            self._sorted.append((hashes[order], order))

    def matches(self, phones: Sequence[int]) -> NDArray[np.intp]:
        """Return the index of the first phone of each stretch that equals `phones`, 1 to `LONGEST` codes."""
        code = 0
        for phone in phones:
            code = code * self._base + phone
        hashes, order = self._sorted[len(phones) - 1]
        return order[np.searchsorted(hashes, code) : np.searchsorted(hashes, code, side="right")]


class UnitSelector:
    """Selects units for texts, in the voices of a corpus."""

    def __init__(
        self,
        clips: Iterable[PhoneClip],
        pronouncer: Pronouncer | None = None,
        random_words: RandomWords | None = None,
    ) -> None:
        """clips: all with the same streams of units. random_words: changes the texts of pairs.

        Raises ValueError if no clip has phones.
        """
        by_speaker: dict[str, list[PhoneClip]] = {}
        for clip in clips:
            if clip.phones:
                by_speaker.setdefault(clip.speaker, []).append(clip)
        if not by_speaker:
            raise ValueError("no clip has phones")
        names = {phone.phone for group in by_speaker.values() for clip in group for phone in clip.phones}
        self._codes = {name: code for code, name in enumerate(sorted(names), start=1)}
        self._indices = {speaker: PhoneIndex(group, self._codes) for speaker, group in by_speaker.items()}
        self._pronouncer = pronouncer or Pronouncer()
        self._random_words = random_words

    @property
    def speakers(self) -> tuple[str, ...]:
        """Names of the speakers, sorted."""
        return tuple(sorted(self._indices))

    def select(self, text: str, speaker: str, rng: random.Random) -> AlignedUnits:
        """Select units for `text` in the voice of `speaker`. Returns them with their words.

        Phones that the speaker's clips don't have are left out, so the result may have no frames.
        Raises AlignmentError if a word has no pronunciation, KeyError for an unknown speaker.
        """
        words = text.split()
        phones, of_word = self._phones(words, rng)
        index = self._indices[speaker]
        pieces: list[IntArray] = []
        counts = np.zeros(len(words), dtype=np.int64)
        at = 0
        while at < len(phones):
            first, length = self._draw(index, phones, at, rng)
            if length == 0:
                at += 1
                continue
            pieces.append(index.frames[:, index.starts[first] : index.stops[first + length - 1]])
            sizes = index.stops[first : first + length] - index.starts[first : first + length]
            np.add.at(counts, of_word[at : at + length], sizes)
            at += length
        frames = np.concatenate(pieces, axis=1) if pieces else np.zeros((3, 0), dtype=np.int64)
        return AlignedUnits(frames, tuple(words), np.concatenate([[0], np.cumsum(counts)]))

    def pairs(
        self, texts: Sequence[str], words: int, speaker: str, rng: random.Random
    ) -> Iterator[AlignedUnits]:
        """Yield pairs of 1 to `words` consecutive words of random texts in one voice, without end.

        Stretches of text that can't be pronounced or have no units are skipped. Raises ManifestError after 1,000 of
        them in succession.
        """
        return self._pairs(lambda: _random_stretch(rng.choice(texts).split(), words, rng), speaker, rng)

    def sentences(
        self, texts: Sequence[str], words: int, speaker: str, rng: random.Random
    ) -> Iterator[AlignedUnits]:
        """Yield pairs of whole sentences of at most `words` words, of random texts in one voice, as `pairs` does."""
        return self._pairs(lambda: _random_sentence(rng.choice(texts).split(), words, rng), speaker, rng)

    def _pairs(
        self, draw_words: Callable[[], Sequence[str]], speaker: str, rng: random.Random
    ) -> Iterator[AlignedUnits]:
        skipped = 0
        while skipped < _SKIPPED:
            skipped += 1
            words = draw_words()
            if self._random_words:
                words = self._random_words(words, rng)
            try:
                drawn = self.select(" ".join(words), speaker, rng) if words else None
            except AlignmentError:
                continue
            if drawn and drawn.frames.shape[1]:
                yield drawn
                skipped = 0
        raise ManifestError(
            f"--phones: {_SKIPPED} parts of --text in succession have no words that can be pronounced"
        )

    def _phones(self, words: Sequence[str], rng: random.Random) -> tuple[list[int], NDArray[np.intp]]:
        """Convert words to phones with random pauses. Returns the code of each phone, and the index of its word."""
        codes: list[int] = []
        of_word: list[int] = []
        silence = self._codes.get(SILENCE)
        if silence and rng.random() < 0.5:
            codes.append(silence)
            of_word.append(0)
        for index, word in enumerate(words):
            word_phones = [self._codes[phone] for phone in self._pronouncer(word) if phone in self._codes]
            end = word.rstrip(_CLOSING)[-1:]
            if silence and rng.random() < _PAUSES.get(end, 0.0):
                word_phones.append(silence)
            codes += word_phones
            of_word += [index] * len(word_phones)
        return codes, np.array(of_word, dtype=np.intp)

    def _draw(self, index: PhoneIndex, phones: Sequence[int], at: int, rng: random.Random) -> tuple[int, int]:
        """Select the longest stretch of the corpus that equals the phones from `at` on.

        Stretches with the same neighbors as in the text are preferred. Returns the index of its first phone in the
        corpus and its number of phones; (0, 0) if the phone at `at` does not occur.
        """
        for length in range(min(LONGEST, len(phones) - at), 0, -1):
            matches = index.matches(phones[at : at + length])
            if len(matches):
                break
        else:
            return 0, 0
        if len(matches) > CANDIDATES:
            matches = matches[[rng.randrange(len(matches)) for _ in range(CANDIDATES)]]
        before = phones[at - 1] if at else 0
        after = phones[at + length] if at + length < len(phones) else 0
        score = 2 * (index.phones[matches - 1] == before) + (index.phones[matches + length] == after)
        best = matches[score == score.max()]
        return int(best[rng.randrange(len(best))]), length


def _random_stretch(document: Sequence[str], words: int, rng: random.Random) -> Sequence[str]:
    """Draw 1 to `words` consecutive words; a third of the stretches start at the start of a sentence."""
    length = min(rng.randint(1, words), len(document))
    if not length:
        return ()
    starts = [0, *_sentence_ends(document)[:-1]]
    first = rng.choice(starts) if rng.random() < 1 / 3 else rng.randint(0, len(document) - length)
    return document[first : first + length]


def _random_sentence(document: Sequence[str], words: int, rng: random.Random) -> Sequence[str]:
    """Draw a sentence of at most `words` words; a random stretch of a document that has none."""
    sentences = [(i, j) for i, j in pairwise([0, *_sentence_ends(document)]) if 0 < j - i <= words]
    if not sentences:
        return _random_stretch(document, words, rng)
    first, stop = rng.choice(sentences)
    return document[first:stop]


def _sentence_ends(document: Sequence[str]) -> list[int]:
    """The number of words up to the end of each sentence; the last one ends with the document."""
    ends = [i for i, word in enumerate(document, 1) if word.rstrip(_CLOSING)[-1:] in _SENTENCE_ENDS]
    return ends if ends[-1:] == [len(document)] else [*ends, len(document)]
