"""Parallel pairs: what they are cut from, and the sequences that they make."""

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
from spiritlm_cli.training.pairs import (
    PAIRS,
    ClipPairs,
    Form,
    TranscriptionExamples,
    speech_first,
    text_first,
)

DRAWS = 300


def spoken(name: str, words: int, first: int) -> Utterance:
    """Word i is said in the ten units from i, which are `first` + i; the pitch and style units are all 1 and 2."""
    units = Units(np.arange(first, first + words).repeat(10), np.full(words * 5, 1), np.full(words, 2))
    said = tuple(Word(f"{name}{i}", i * 0.4, (i + 1) * 0.4) for i in range(words))
    return Utterance(name, units, " ".join(word.word for word in said) + ".", Alignment(said))


LONG, SHORT, OTHER = spoken("a", 12, 100), spoken("b", 3, 200), spoken("c", 5, 300)
UNITS = {f"{u.id}{i}": first + i for u, first in ((LONG, 100), (SHORT, 200), (OTHER, 300)) for i in range(12)}


@pytest.fixture(scope="module")
def pairs() -> ClipPairs:
    return ClipPairs([("x", LONG), ("x", SHORT), ("y", OTHER)], 6)


def said(span: SpeechSpan) -> list[int]:
    return [unit.id for unit in span.units if unit.kind is Kind.HUBERT]


def merged(units: list[int]) -> list[int]:
    """Runs as one, as they are in a line: a splice may have a word twice in a row."""
    return [unit for unit, _ in itertools.groupby(units)]


def written(text: str) -> list[int]:
    return [UNITS[word.strip(".")] for word in text.split()]


@pytest.mark.parametrize("form", [speech_first, text_first])
def test_each_pair_says_what_is_written(pairs: ClipPairs, form: Form) -> None:
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
            assert said(speech) == merged(written(text.text))
            lengths.add(len(written(text.text)))
    assert lengths == {1, 2, 3, 4, 5, 6}
    assert counts == set(range(1, PAIRS + 1))


def test_a_sequence_is_of_one_speaker(pairs: ClipPairs) -> None:
    for draw in range(DRAWS):
        text = speech_first(pairs(random.Random(draw))).sequence.text
        assert ("c" in text) != ("a" in text or "b" in text)


def test_examples_have_the_papers_form(pairs: ClipPairs) -> None:
    for draw in range(DRAWS):
        sequence = TranscriptionExamples()(pairs(random.Random(draw))).sequence
        for speech, text in zip(sequence.spans[::2], sequence.spans[1::2], strict=True):
            assert isinstance(speech, SpeechSpan)
            assert isinstance(text, TextSpan)
            found = re.fullmatch(r" <START Transcript> (.+) <END>", text.text)
            assert found
            assert said(speech) == merged(written(found[1]))


def test_single_words_where_no_more_are_asked_for() -> None:
    single = ClipPairs([("x", LONG)], 1)
    for draw in range(DRAWS):
        for text in speech_first(single(random.Random(draw))).sequence.spans[1::2]:
            assert isinstance(text, TextSpan)
            assert len(written(text.text)) == 1


def test_the_same_numbers_draw_the_same(pairs: ClipPairs) -> None:
    def drawn(seed: int) -> Sequence:
        return speech_first(pairs(random.Random(seed))).sequence

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_labels_are_the_words_of_units_and_characters() -> None:
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
