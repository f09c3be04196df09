import itertools
import random
import re

import numpy as np
import pytest

from spiritlm_cli.interleaving.interleave import Utterance
from spiritlm_cli.manifests.clip import Alignment, Word
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind, Units
from spiritlm_cli.training.aligned_units import AlignedUnits
from spiritlm_cli.training.corpus import Clips
from spiritlm_cli.training.pairs import (
    PAIRS,
    ClipPairs,
    Form,
    TranscriptionExamples,
    speech_first,
    text_first,
)

DRAWS = 300


def utterance(name: str, words: int, first: int) -> Utterance:
    """Word i has ten phonetic units `first` + i. All pitch units are 1, all style units 2."""
    units = Units(np.arange(first, first + words).repeat(10), np.full(words * 5, 1), np.full(words, 2))
    timed = tuple(Word(f"{name}{i}", i * 0.4, (i + 1) * 0.4) for i in range(words))
    return Utterance(name, units, " ".join(word.word for word in timed) + ".", Alignment(timed))


LONG, SHORT, OTHER = utterance("a", 12, 100), utterance("b", 3, 200), utterance("c", 5, 300)
UNITS = {f"{u.id}{i}": first + i for u, first in ((LONG, 100), (SHORT, 200), (OTHER, 300)) for i in range(12)}


@pytest.fixture(scope="module")
def pairs() -> ClipPairs:
    return ClipPairs(Clips.of([("x", LONG), ("x", SHORT), ("y", OTHER)]), 6)


def phonetic_ids(span: SpeechSpan) -> list[int]:
    return [unit.id for unit in span.units if unit.kind is Kind.HUBERT]


def merged(units: list[int]) -> list[int]:
    """Merge runs, as in a sequence; a splice may repeat a word."""
    return [unit for unit, _ in itertools.groupby(units)]


def expected_ids(text: str) -> list[int]:
    return [UNITS[word.strip(".")] for word in text.split()]


def test_clip_pairs_are_never_none() -> None:
    """Words whose times are after the end of the audio have no units."""
    timed = tuple(Word(f"w{i}", i * 0.4, (i + 1) * 0.4) for i in range(8))
    clip = Utterance("a", Units(np.arange(10)), " ".join(word.word for word in timed), Alignment(timed))
    pairs = ClipPairs(Clips.of([("x", clip)]), 3)
    assert all(pairs(random.Random(draw)) for draw in range(DRAWS))


@pytest.mark.parametrize("form", [speech_first, text_first])
def test_clip_pairs_have_the_units_of_their_words(pairs: ClipPairs, form: Form) -> None:
    first, second = (SpeechSpan, TextSpan) if form is speech_first else (TextSpan, SpeechSpan)
    lengths, counts = set(), set()
    for draw in range(DRAWS):
        spans = form(pairs(random.Random(draw))).sequence.spans
        counts.add(len(spans) // 2)
        for one, other in zip(spans[::2], spans[1::2], strict=True):
            assert isinstance(one, first)
            assert isinstance(other, second)
            speech, text = (one, other) if form is speech_first else (other, one)
            assert isinstance(speech, SpeechSpan)
            assert isinstance(text, TextSpan)
            assert phonetic_ids(speech) == merged(expected_ids(text.text))
            lengths.add(len(expected_ids(text.text)))
    assert lengths == {1, 2, 3, 4, 5, 6}
    assert counts == set(range(1, PAIRS + 1))


def test_clip_pairs_of_a_sequence_are_of_one_speaker(pairs: ClipPairs) -> None:
    for draw in range(DRAWS):
        text = speech_first(pairs(random.Random(draw))).sequence.text
        assert ("c" in text) != ("a" in text or "b" in text)


def test_transcription_examples_have_the_format_of_the_task(pairs: ClipPairs) -> None:
    for draw in range(DRAWS):
        sequence = TranscriptionExamples()(pairs(random.Random(draw))).sequence
        for speech, text in zip(sequence.spans[::2], sequence.spans[1::2], strict=True):
            assert isinstance(speech, SpeechSpan)
            assert isinstance(text, TextSpan)
            match = re.fullmatch(r" <START Transcript> (.+) <END>", text.text)
            assert match
            assert phonetic_ids(speech) == merged(expected_ids(match[1]))


def test_clip_pairs_of_single_words() -> None:
    single = ClipPairs(Clips.of([("x", LONG)]), 1)
    for draw in range(DRAWS):
        for text in speech_first(single(random.Random(draw))).sequence.spans[1::2]:
            assert isinstance(text, TextSpan)
            assert len(expected_ids(text.text)) == 1


def test_clip_pairs_are_reproducible_from_the_seed(pairs: ClipPairs) -> None:
    def drawn(seed: int) -> Sequence:
        return speech_first(pairs(random.Random(seed))).sequence

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_labeled_sequence_has_equal_words_in_speech_and_text() -> None:
    pairs = [AlignedUnits.of(LONG).cut(2, 4), AlignedUnits.of(SHORT)]
    labeled = TranscriptionExamples()(pairs)
    for speech, text, first in zip(labeled.words[::2], labeled.words[1::2], (0, 2), strict=True):
        assert (
            set(speech.tolist())
            == set(text.tolist()) - {-1}
            == set(range(first, first + len(pairs[first // 2])))
        )
    text = labeled.sequence.spans[1]
    assert isinstance(text, TextSpan)
    assert [
        character for character, word in zip(text.text, labeled.words[1], strict=True) if word == 1
    ] == list(" a3")


def test_labeled_sequence_answers_with_the_second_part_of_each_pair() -> None:
    labeled = text_first([AlignedUnits.of(LONG).cut(2, 4), AlignedUnits.of(SHORT)])
    assert [set(label.tolist()) for label in labeled.answers] == [{-1}, {0}, {-1}, {1}]
    assert [len(label) for label in labeled.answers] == [len(label) for label in labeled.words]


def test_clip_pairs_words_join_those_without_units() -> None:
    times = (Word("a", 0.0, 0.01), Word("b", 0.01, 0.4), Word("c", 0.4, 0.8), Word("d", 0.8, 0.81))
    short = Utterance("u", Units(np.arange(20), None, None), "a b c d", Alignment(times))
    words = ClipPairs(Clips.of([("x", short), ("x", LONG)]), 6)
    assert [pair.text for pair in words.words(0)] == ["a b", "c d"]
    assert sum(pair.frames.shape[1] for pair in words.words(0)) == 20
    assert [pair.text for pair in words.words(1)] == LONG.text.split()
