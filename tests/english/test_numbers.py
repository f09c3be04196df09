import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlm_cli.english.numbers import (
    LARGEST,
    canonical,
    canonical_numbers,
    cardinal,
    ordinal,
    plural,
    roman_value,
    spell_digits,
    year,
)


def test_cardinal() -> None:
    assert " ".join(cardinal(1_234_567)) == (
        "one million two hundred thirty four thousand five hundred sixty seven"
    )
    assert cardinal(1005, ("and",)) == ("one", "thousand", "and", "five")
    assert cardinal(10**15)[:2] == ("one", "zero")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1066, "ten sixty six"),
        (1832, "eighteen thirty two"),
        (1905, "nineteen oh five"),
        (1900, "nineteen hundred"),
        (2001, "two thousand one"),
        (2024, "twenty twenty four"),
    ],
)
def test_year(value: int, words: str) -> None:
    assert " ".join(year(value)) == words


def test_ordinal() -> None:
    assert ordinal(("one", "hundred")) == ("one", "hundredth")
    assert [" ".join(ordinal(canonical(value))) for value in (1, 2, 3, 5, 8, 9, 12, 20, 101)] == [
        "first", "second", "third", "fifth", "eighth", "ninth", "twelfth", "twentieth", "one hundred first",
    ]  # fmt: skip


def test_plural() -> None:
    assert plural(("nineteen", "ninety")) == ("nineteen", "nineties")
    assert [plural((word,)) for word in ("five", "six")] == [("fives",), ("sixes",)]


def test_spell_digits() -> None:
    assert spell_digits("007") == ("zero", "zero", "seven")
    assert spell_digits("10", zero="oh") == ("one", "oh")


def test_roman_value() -> None:
    assert [roman_value(numeral) for numeral in ("IV", "IX", "XLII", "CXC")] == [4, 9, 42, 190]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "zero"),
        (101, "one hundred one"),
        (1000, "one thousand"),
        (1066, "ten sixty six"),
        (1500, "fifteen hundred"),
        (1905, "nineteen oh five"),
        (2024, "two thousand twenty four"),
        (2345, "twenty three hundred forty five"),
        (1_001_066, "one million ten sixty six"),
    ],
)
def test_canonical(value: int, words: str) -> None:
    assert " ".join(canonical(value)) == words


@given(st.integers(1, LARGEST))
def test_canonical_numbers_keeps_canonical_readings(value: int) -> None:
    reading = list(canonical(value))
    assert canonical_numbers(reading) == reading
    assert canonical_numbers(list(ordinal(tuple(reading)))) == list(ordinal(tuple(reading)))


@given(st.integers(1, LARGEST), st.sampled_from([(), ("and",)]))
def test_canonical_numbers_of_cardinals(value: int, conjunction: tuple[str, ...]) -> None:
    assert canonical_numbers(list(cardinal(value, conjunction))) == list(canonical(value))


@given(st.integers(1001, 2099))
def test_canonical_numbers_of_years(value: int) -> None:
    assert canonical_numbers(list(year(value))) == list(canonical(value))


@pytest.mark.parametrize(
    "words",
    ["one two three", "ten and five", "thousands of men", "a third man", "a hundredth part of two thirds"],
)
def test_canonical_numbers_keeps_other_words(words: str) -> None:
    expected = words.replace("a hundredth", "one hundredth")
    assert " ".join(canonical_numbers(words.split())) == expected
