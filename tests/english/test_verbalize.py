import pytest

from spiritlm_cli.english.verbalize import money_readings, number_readings, time_readings, verbalize


def preferred_reading(token: str) -> str:
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
        ("$5.50", "five dollars and fifty cents"),
        ("$1.01", "one dollar and one cent"),
        ("$.50", "fifty cents"),
        ("$5.00", "five dollars"),
        ("½", "a half"),
        ("1/2", "a half"),
        ("¾", "three quarters"),
        ("⅔", "two thirds"),
        ("2½", "two and a half"),
        ("2-1/2", "two and a half"),
        ("101", "one hundred one"),
        ("1066", "ten sixty six"),
        ("10:00", "ten o'clock"),
        ("10:05", "ten oh five"),
        ("14:00", "fourteen hundred"),
        ("10am", "ten a m"),
        ("a.m.", "a m"),
        ("12B", "twelve b"),
        ("2.5x", "two point five x"),
        ("1/2/2003", "one two two thousand three"),
        ("--", ""),
        ("…", ""),
    ],
)
def test_verbalize(token: str, words: str) -> None:
    assert preferred_reading(token) == words


def test_alternative_readings() -> None:
    assert verbalize("St.") == [(("saint",), ("street",))]
    assert set(number_readings("1832")) == {
        ("eighteen", "thirty", "two"),
        ("one", "thousand", "eight", "hundred", "thirty", "two"),
        ("one", "thousand", "eight", "hundred", "and", "thirty", "two"),
    }
    assert ("zero", "zero", "seven") in number_readings("007")
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


def test_number_readings() -> None:
    assert {("one", "hundred", "one"), ("one", "hundred", "and", "one")} == set(number_readings("101"))
    assert ("one", "thousand", "and", "sixty", "six") in number_readings("1066")
    assert ("zero", "one", "two", "three") in number_readings("0,123")
    assert ("twelve",) in verbalize("12B")[0]
    assert ("one", "two") in verbalize("12B")[0]


def test_time_readings() -> None:
    assert time_readings("10", "30") == [(("ten",),), (("thirty",),)]
    assert ("ten",) in time_readings("10", "00")[0]
    assert ("oh", "nine") in time_readings("09", "30")[0]
    assert ("five",) in time_readings("9", "05")[1]
    assert len(verbalize("1:02:03")) == 3


def test_verbalize_am_after_a_time() -> None:
    for previous in ("10:00", "10", "(10:00", "o'clock", "o’clock,"):
        assert verbalize("AM", previous) == [(("a", "m"),)]
    for previous in ("", "I", "ten"):
        assert verbalize("am", previous) == [(("am",),)]


def test_readings_of_long_numbers() -> None:
    assert number_readings("1" * 5000) == (("one",) * 5000,)
    assert money_readings("$", "1" * 5000)[-1] == ("one",) * 5000
