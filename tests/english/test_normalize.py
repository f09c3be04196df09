import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlm_cli.english.normalize import normalize
from spiritlm_cli.english.numbers import LARGEST, canonical, cardinal
from spiritlm_cli.english.verbalize import (
    fraction_readings,
    money_readings,
    number_readings,
    verbalize,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The CAT, sat — on: the “mat”!", "the cat sat on the mat"),
        ("A well-known café", "a well known cafe"),
        ("John's dogs' bones", "johns dogs bones"),
        ("in the U.S. with J. R. Smith. A man", "in the us with j r smith a man"),
        ("Mr. and Mrs. Smith & Dr. Jones", "mister and missus smith and doctor jones"),
        ("St. Ives on Main St", "saint ives on main st"),
        ("OK, ok, O.K., okay", "okay okay okay okay"),
        ("I don’t, can't, cannot, won't, shan't", "i do not can not can not will not shall not"),
        ("they're we'll I've I'm let's", "they are we will i have i am let us"),
        ("it's John's; he'd go", "it is johns he would go"),
        ("uh, um, [laughs] the the", "uh um laughs the the"),
        ("...", ""),
        ("", ""),
    ],
)
def test_normalize(text: str, words: str) -> None:
    assert normalize(text) == words


@pytest.mark.parametrize(
    "forms",
    [
        ["500", "five hundred"],
        ["105", "a hundred and five", "one hundred five"],
        ["1905", "nineteen oh five", "nineteen hundred and five", "one thousand nine hundred five", "1,905"],
        ["1862", "eighteen sixty-two", "one thousand eight hundred and sixty-two"],
        ["1500", "fifteen hundred", "one thousand five hundred"],
        ["2024", "twenty twenty-four", "two thousand and twenty four"],
        ["22nd", "twenty-second"],
        ["the 1890s", "the eighteen nineties", "the 1890's"],
        ["3.14", "three point one four"],
        ["10:05", "ten oh five"],
        ["$5 million", "five million dollars"],
        ["£1", "one pound"],
        ["50%", "fifty percent"],
        ["1,234,567", "one million two hundred and thirty-four thousand five hundred and sixty-seven"],
        ["007", "oh oh seven", "zero zero seven"],
        ["101", "one hundred and one", "one hundred one", "a hundred and one"],
        ["101st", "one hundred and first", "a hundred first"],
        ["1066", "ten sixty-six", "one thousand and sixty-six"],
        ["2½ miles", "2 1/2 miles", "two and a half miles", "two and one half miles"],
        ["200½", "two hundred and a half"],
        ["1/2", "½", "one half", "a half"],
        ["3/4", "three quarters", "three fourths"],
        ["¼", "a quarter", "one fourth"],
        ["No. 5", "number five"],
        ["fig. 2, vol. 3", "figure two volume three"],
        ["5 ft", "5ft", "five feet"],
        ["$5.50", "five dollars and fifty cents", "five dollars fifty cents"],
        ["£1.01", "one pound and one penny"],
        ["$0.50", "$.50", "fifty cents"],
        ["$5.00", "$5", "five dollars"],
        ["$5.5 million", "five point five million dollars"],
        ["10:00 AM", "10 a.m.", "10am", "ten o'clock a.m.", "ten a m"],
        ["10:00", "ten o'clock"],
        ["14:00", "fourteen hundred"],
        ["3.05", "three point zero five", "three point oh five"],
        ["2+2=4", "two plus two equals four"],
        ["B52", "b fifty two"],
    ],
)
def test_normalize_numbers(forms: list[str]) -> None:
    assert len({normalize(form) for form in forms}) == 1


def test_normalize_keeps_separate_numbers() -> None:
    assert normalize("one two three") == "one two three"
    assert normalize("4, 5, 6") == "four five six"
    assert normalize("ten and five") == "ten and five"
    assert normalize("twenty-one half hours") == "twenty one half hours"
    assert normalize("9/11") == "nine eleven"


def test_normalize_abbreviations_that_may_be_words() -> None:
    assert normalize("He said no. Five men") == "he said no five men"
    assert normalize("Fort Worth and Ft. Worth") == "fort worth and fort worth"
    assert normalize("I am one. A man") == "i am one a man"


@given(st.integers(0, LARGEST))
def test_normalize_digits_as_canonical(value: int) -> None:
    assert normalize(str(value)) == " ".join(canonical(value)) == normalize(f"{value:,}")


@given(st.integers(0, 10**6), st.sampled_from(["", "th", "s"]))
def test_readings_of_a_number_agree_with_digits(value: int, ending: str) -> None:
    digits = f"{value:,}"
    for reading in number_readings(digits, ending=ending):
        assert normalize(" ".join(reading)) == normalize(digits + ending) == normalize(f"{value}{ending}")


@given(st.integers(1001, 2099))
def test_readings_of_a_year_agree_with_digits(value: int) -> None:
    for reading in number_readings(str(value)):
        assert normalize(" ".join(reading)) == normalize(str(value))


@given(st.integers(0, 10**6), st.integers(0, 99), st.sampled_from("$£€"))
def test_readings_of_money_agree_with_digits(units: int, hundredths: int, currency: str) -> None:
    written = f"{currency}{units:,}.{hundredths:02}"
    readings = money_readings(currency, f"{units:,}", f".{hundredths:02}")
    # With and without "and", where there are both units and hundredths.
    for reading in readings[: 2 if units and hundredths else 1]:
        assert normalize(" ".join(reading)) == normalize(written)


@given(st.integers(0, 23), st.integers(0, 59), st.sampled_from(["", " AM", " p.m."]))
def test_a_time_agrees_with_its_reading(hour: int, minute: int, half: str) -> None:
    tokens = f"{hour}:{minute:02}{half}".split()
    parts = [
        part
        for previous, token in zip(["", *tokens], tokens, strict=False)
        for part in verbalize(token, previous)
    ]
    assert normalize(" ".join(word for part in parts for word in part[0])) == normalize(" ".join(tokens))


@given(st.integers(0, 10**6), st.sampled_from(["1/2", "1/4", "3/4"]))
def test_readings_of_a_mixed_fraction_agree_with_digits(whole: int, fraction: str) -> None:
    spoken = [" ".join(cardinal(whole)), "and", " ".join(fraction_readings(fraction)[0])]
    assert normalize(" ".join(spoken)) == normalize(f"{whole} {fraction}")


@given(st.text(max_size=40))
def test_normalize_leaves_words_only(text: str) -> None:
    words = normalize(text)
    assert words == " ".join(words.split())
    assert all(character.isalpha() or character == " " or character.isnumeric() for character in words)


@given(st.text(alphabet="abcdefg .,'-?", max_size=40))
def test_normalize_ignores_case_and_outer_punctuation(text: str) -> None:
    assert normalize(text.upper()) == normalize(f"“{text}”!")
