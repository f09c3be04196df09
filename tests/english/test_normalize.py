import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlm_cli.english.normalize import normalize
from spiritlm_cli.english.numbers import LARGEST, join_numbers, spell_cardinal, spell_ordinal


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
def test_words(text: str, words: str) -> None:
    assert normalize(text) == words


@pytest.mark.parametrize(
    "ways",
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
        ["007", "oh oh seven"],
        ["B52", "b fifty two"],
    ],
)
def test_numbers_are_said_one_way(ways: list[str]) -> None:
    assert len({normalize(way) for way in ways}) == 1


def test_separate_numbers_stay_separate() -> None:
    assert normalize("one two three") == "one two three"
    assert normalize("4, 5, 6") == "four five six"
    assert normalize("ten and five") == "ten and five"


@given(st.integers(0, LARGEST))
def test_digits_and_spelling_agree(value: int) -> None:
    assert normalize(str(value)) == spell_cardinal(value) == normalize(f"{value:,}")


@given(st.integers(1, LARGEST))
def test_a_spelled_number_is_read_whole(value: int) -> None:
    words = spell_cardinal(value).split()
    assert join_numbers(words) == words


def test_ordinals() -> None:
    assert [spell_ordinal(value) for value in (1, 2, 3, 5, 8, 9, 12, 20, 101)] == [
        "first", "second", "third", "fifth", "eighth", "ninth", "twelfth", "twentieth", "one hundred first",
    ]  # fmt: skip


@given(st.text(max_size=40))
def test_only_words_are_left(text: str) -> None:
    words = normalize(text)
    assert words == " ".join(words.split())
    assert all(character.isalpha() or character == " " or character.isnumeric() for character in words)


@given(st.text(alphabet="abcdefg .,'-?", max_size=40))
def test_case_and_punctuation_around_words_do_not_matter(text: str) -> None:
    assert normalize(text.upper()) == normalize(f"“{text}”!")
