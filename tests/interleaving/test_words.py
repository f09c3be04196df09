import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlm_cli.audio.clip import Alignment, Word
from spiritlm_cli.errors import AlignmentError
from spiritlm_cli.interleaving.words import first_units, word_texts
from spiritlm_cli.tokens.units import Units


def aligned(*words: tuple[str, float, float]) -> Alignment:
    return Alignment(tuple(Word(*word) for word in words))


def untimed(text: str) -> Alignment:
    return aligned(*((word, 0.0, 0.0) for word in text.split()))


@given(st.text(st.sampled_from("ab c\n-.'é"), min_size=1).filter(str.strip))
def test_the_parts_are_the_transcript(text: str) -> None:
    parts = word_texts(text, untimed(text))
    assert "".join(parts) == text
    assert [part.strip() for part in parts] == text.split()


def test_words_in_another_spelling() -> None:
    text = '  "Well," -- said  Tom…\n'
    assert word_texts(text, untimed("well said TOM")) == ('  "Well," -- ', "said  ", "Tom…\n")
    assert word_texts(text, untimed('"Well," -- said Tom')) == ('  "Well," ', "-- ", "said  ", "Tom…\n")


@pytest.mark.parametrize(
    ("text", "words", "reason"),
    [
        ("the cat", "the dog", "'cat' where the alignment is 'dog'"),
        ("the cat sat", "the cat", "'sat' where the alignment is at its end"),
        ("the cat", "the cat sat", "ends where the alignment has 'sat'"),
        ("", "", "no words"),
    ],
)
def test_other_words(text: str, words: str, reason: str) -> None:
    with pytest.raises(AlignmentError, match=reason):
        word_texts(text, untimed(words))


def test_a_unit_belongs_to_the_word_that_holds_its_centre() -> None:
    units = Units(hubert=np.zeros(50, dtype=np.int64))
    # centres at 0.02, 0.06, … s
    alignment = aligned(("a", 0.3, 0.5), ("b", 0.5, 0.53), ("c", 1.1, 1.5))
    # sound before a goes with a; unit 12 has its centre at 0.5 s; the silence after b goes with b
    assert first_units(units, alignment).tolist() == [0, 12, 27, 50]


def test_long_recordings_do_not_drift() -> None:
    units = Units(hubert=np.zeros(25 * 3600, dtype=np.int64))
    bounds = first_units(units, aligned(("a", 0.0, 1.0), ("b", 3599.0, 3600.0)))
    assert bounds.tolist() == [0, 25 * 3599, 25 * 3600]


@pytest.mark.parametrize("starts", [(1.0, 0.5), (0.0, float("nan"))])
def test_times_out_of_order(starts: tuple[float, float]) -> None:
    units = Units(hubert=np.zeros(50, dtype=np.int64))
    with pytest.raises(AlignmentError, match="order of time"):
        first_units(units, aligned(*(("a", start, start + 0.1) for start in starts)))
