"""Parallel pairs: what they are cut from, and the sequences that they make."""

import random
import re

import numpy as np
import pytest

from spiritlm_cli.interleaving.interleave import Utterance
from spiritlm_cli.manifests.clip import Alignment, Word
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind, Units
from spiritlm_cli.training.pairs import PAIRS, Pairs, SpokenClip

DRAWS = 300


def spoken(name: str, words: int, first: int) -> Utterance:
    """Word i is said in the ten units from i, which are `first` + i; the pitch and style units are all 1 and 2."""
    units = Units(np.arange(first, first + words).repeat(10), np.full(words * 5, 1), np.full(words, 2))
    said = tuple(Word(f"{name}{i}", i * 0.4, (i + 1) * 0.4) for i in range(words))
    return Utterance(name, units, " ".join(word.word for word in said) + ".", Alignment(said))


LONG, SHORT, OTHER = spoken("a", 12, 100), spoken("b", 3, 200), spoken("c", 5, 300)
UNITS = {f"{u.id}{i}": first + i for u, first in ((LONG, 100), (SHORT, 200), (OTHER, 300)) for i in range(12)}


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    return Pairs([("x", LONG), ("x", SHORT), ("y", OTHER)], 6)


def said(span: SpeechSpan) -> list[int]:
    return [unit.id for unit in span.units if unit.kind is Kind.HUBERT]


def written(text: str) -> list[int]:
    return [UNITS[word.strip(".")] for word in text.split()]


def test_a_cut_is_words_and_their_units() -> None:
    pair = SpokenClip(LONG).cut(2, 4)
    (span,) = pair.speech
    assert pair.text == "a2 a3"
    assert said(span) == [102, 103]
    assert [unit.kind for unit in span.units[:2]] == [Kind.STYLE, Kind.PITCH]
    assert pair.to_text() == (span, TextSpan("a2 a3"))
    assert pair.to_speech() == (TextSpan("a2 a3"), span)


def test_without_word_times_nothing_is_cut() -> None:
    with pytest.raises(ValueError, match="a has no word times"):
        SpokenClip(Utterance("a", LONG.units, LONG.text))


@pytest.mark.parametrize("form", ["to_text", "to_speech"])
def test_each_pair_says_what_is_written(pairs: Pairs, form: str) -> None:
    first, second = (SpeechSpan, TextSpan) if form == "to_text" else (TextSpan, SpeechSpan)
    lengths, counts = set(), set()
    for draw in range(DRAWS):
        spans = getattr(pairs, form)(random.Random(draw)).spans
        counts.add(len(spans) // 2)
        for one, other in zip(spans[::2], spans[1::2], strict=True):
            assert isinstance(one, first)
            assert isinstance(other, second)
            speech, text = (one, other) if form == "to_text" else (other, one)
            assert isinstance(speech, SpeechSpan)
            assert isinstance(text, TextSpan)
            assert said(speech) == written(text.text)
            lengths.add(len(written(text.text)))
    assert lengths == {1, 2, 3, 4, 5, 6}
    assert counts == set(range(1, PAIRS + 1))


def test_a_sequence_is_of_one_speaker(pairs: Pairs) -> None:
    for draw in range(DRAWS):
        text = pairs.to_text(random.Random(draw)).text
        assert ("c" in text) != ("a" in text or "b" in text)


def test_examples_have_the_papers_form(pairs: Pairs) -> None:
    for draw in range(DRAWS):
        sequence = pairs.examples(random.Random(draw))
        for speech, text in zip(sequence.spans[::2], sequence.spans[1::2], strict=True):
            assert isinstance(speech, SpeechSpan)
            assert isinstance(text, TextSpan)
            found = re.fullmatch(r" <START Transcript> (.+) <END>", text.text)
            assert found
            assert said(speech) == written(found[1])


def test_single_words_where_no_more_are_asked_for() -> None:
    single = Pairs([("x", LONG)], 1)
    for draw in range(DRAWS):
        for text in single.to_text(random.Random(draw)).spans[1::2]:
            assert isinstance(text, TextSpan)
            assert len(written(text.text)) == 1


def test_the_same_numbers_draw_the_same(pairs: Pairs) -> None:
    def drawn(seed: int) -> Sequence:
        return pairs.to_text(random.Random(seed))

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
