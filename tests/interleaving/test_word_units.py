import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlm_cli.errors import AlignmentError
from spiritlm_cli.interleaving.word_units import TimedWord, timed_words, unit_boundaries
from spiritlm_cli.manifests.clip import Alignment, Word
from spiritlm_cli.tokens.units import Units


def aligned(*words: tuple[str, float, float]) -> Alignment:
    return Alignment(tuple(Word(*word) for word in words))


def untimed(text: str) -> Alignment:
    return aligned(*((word, 0.0, 0.0) for word in text.split()))


def texts(text: str, alignment: Alignment) -> tuple[str, ...]:
    return tuple(word.text for word in timed_words(text, alignment))


@given(st.text(st.sampled_from("ab c\n-.'é"), min_size=1).filter(lambda text: any(map(str.isalnum, text))))
def test_timed_words_joined_are_the_transcript(text: str) -> None:
    parts = texts(text, untimed(text))
    assert "".join(parts) == text
    assert len(parts) == sum(any(map(str.isalnum, token)) for token in text.split())


def test_timed_words_in_another_spelling() -> None:
    text = '  "Well," -- said  Tom…\n'
    assert texts(text, untimed("well said TOM")) == ('  "Well," -- ', "said  ", "Tom…\n")
    assert texts(text, untimed('"Well," -- said Tom')) == ('  "Well," -- ', "said  ", "Tom…\n")


@pytest.mark.parametrize(
    ("text", "words", "parts", "end"),
    [
        ("I can not go", ["i", "cannot", "go"], ("I ", "can not ", "go"), 2.5),
        ("I cannot go", ["i", "can", "not", "go"], ("I ", "cannot ", "go"), 3.5),
        ("to-day's -- café", ["to", "day's", "cafe"], ("to-day's -- ", "café"), 2.5),
        ("in York", ["in York"], ("in York",), 0.5),
        ("ab cd e", ["abc", "de"], ("ab cd e",), 1.5),
        ("so, yes", ["so", "--", "yes", "!"], ("so, ", "yes"), 2.5),
    ],
)
def test_timed_words_divided_differently(
    text: str, words: list[str], parts: tuple[str, ...], end: float
) -> None:
    alignment = aligned(*((word, index, index + 0.5) for index, word in enumerate(words)))
    timed = timed_words(text, alignment)
    assert tuple(word.text for word in timed) == parts
    assert (timed[0].start, timed[-1].end) == (0, end)


@pytest.mark.parametrize(
    ("text", "words", "reason"),
    [
        ("the cat", "the dog", r"'cat' where the alignment has 'dog' \(word 2\)"),
        ("the cat", "a big dog", r"'the' where the alignment has 'a' \(word 1\)"),
        ("I cannot", "I can go", r"'cannot' where the alignment has 'can go' \(word 2\)"),
        ("the cat sat", "the cat", "'sat' where the alignment is at its end"),
        ("the cat", "the cat sat", "ends where the alignment has 'sat'"),
        ("", "", "no words"),
    ],
)
def test_timed_words_refuses_other_words(text: str, words: str, reason: str) -> None:
    with pytest.raises(AlignmentError, match=reason):
        timed_words(text, untimed(words))


def test_unit_boundaries() -> None:
    units = Units(hubert=np.zeros(50, dtype=np.int64))
    # Centers at 0.02, 0.06, … s
    alignment = aligned(("a", 0.3, 0.5), ("b", 0.5, 0.53), ("c", 1.1, 1.5))
    # Units before a belong to a; unit 12 has its center at 0.5 s; the silence after b belongs to b.
    words = timed_words("a b c", alignment)
    assert unit_boundaries(units, words).tolist() == [0, 12, 27, 50]


def test_unit_boundaries_of_long_recordings() -> None:
    units = Units(hubert=np.zeros(25 * 3600, dtype=np.int64))
    words = timed_words("a b", aligned(("a", 0.0, 1.0), ("b", 3599.0, 3600.0)))
    bounds = unit_boundaries(units, words)
    assert bounds.tolist() == [0, 25 * 3599, 25 * 3600]


@pytest.mark.parametrize("starts", [(1.0, 0.5), (0.0, float("nan"))])
def test_unit_boundaries_refuses_times_out_of_order(starts: tuple[float, float]) -> None:
    units = Units(hubert=np.zeros(50, dtype=np.int64))
    with pytest.raises(AlignmentError, match="in order of time"):
        unit_boundaries(units, tuple(TimedWord("a", start, start + 0.1) for start in starts))
