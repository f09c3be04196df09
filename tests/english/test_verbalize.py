import pytest

from spiritlm_cli.english.verbalize import cardinal, number_ways, ordinal, roman_value, verbalize


def first_way(token: str) -> str:
    return " ".join(word for part in verbalize(token) for word in part[0])


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("Hello,", "hello"),
        ('"Yes!"', "yes"),
        ("twenty-five", "twenty five"),
        ("in--where", "in where"),
        ("don’t", "don't"),
        ("'tis", "'tis"),
        ("café", "cafe"),
        ("Mr.", "mister"),
        ("Dr", "doctor"),
        ("Tim.", "tim"),
        ("U.S.", "u s"),
        ("i.e.,", "i e"),
        ("T.", "t"),
        ("1832,", "eighteen thirty two"),
        ("1905", "nineteen oh five"),
        ("1900", "nineteen hundred"),
        ("2001", "two thousand one"),
        ("2,000", "two thousand"),
        ("21", "twenty one"),
        ("3rd", "third"),
        ("30th", "thirtieth"),
        ("347th", "three hundred forty seventh"),
        ("1990s", "nineteen nineties"),
        ("3.14", "three point one four"),
        ("10:30", "ten thirty"),
        ("$5", "five dollars"),
        ("50%", "fifty percent"),
        ("3B", "three b"),
        ("R&B", "r and b"),
        ("AT&T,", "a t and t"),
        ("$1", "one dollar"),
        ("£2.5", "two point five pounds"),
        ("½", "half"),
        ("1/2", "half"),
        ("2½", "two half"),
        ("1/2/2003", "one two two thousand three"),
        ("--", ""),
        ("…", ""),
    ],
)
def test_first_way(token: str, words: str) -> None:
    assert first_way(token) == words


def test_what_can_be_said_in_several_ways_is_one_part() -> None:
    assert verbalize("St.") == [(("saint",), ("street",))]
    assert set(number_ways("1832")) == {
        ("eighteen", "thirty", "two"),
        ("one", "thousand", "eight", "hundred", "thirty", "two"),
        ("one", "thousand", "eight", "hundred", "and", "thirty", "two"),
    }
    assert ("zero", "zero", "seven") in number_ways("007")
    assert {
        ("five", "dollars", "and", "fifty", "cents"),
        ("five", "fifty"),
        ("five", "point", "five", "zero"),
    } <= set(verbalize("$5.50")[0])
    assert verbalize("$5")[0][-1] == ("five",)  # of $5 million
    assert ("and", "a", "half") in verbalize("2½")[1]
    assert verbalize("No.") == [(("no",), ("number",))]
    assert verbalize("no") == [(("no",),)]
    assert verbalize("XII") == [(("xii",), ("x", "i", "i"), ("twelve",), ("twelfth",))]


def test_numbers() -> None:
    assert " ".join(cardinal(1_234_567)) == (
        "one million two hundred thirty four thousand five hundred sixty seven"
    )
    assert cardinal(1005, ("and",)) == ("one", "thousand", "and", "five")
    assert cardinal(10**15)[:2] == ("one", "zero")
    assert ordinal(("one", "hundred")) == ("one", "hundredth")
    assert [roman_value(numeral) for numeral in ("IV", "IX", "XLII", "CXC")] == [4, 9, 42, 190]


def test_numbers_of_any_length_are_said() -> None:
    assert number_ways("1" * 5000) == (("one",) * 5000,)
