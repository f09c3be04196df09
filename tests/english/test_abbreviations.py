import pytest

from spiritlm_cli.english.abbreviations import ABBREVIATIONS, AFTER_NUMBER, BEFORE_NUMBER, DOTTED, fold


@pytest.mark.parametrize(
    ("text", "plain"),
    [("Café", "Cafe"), ("don’t", "don't"), ("‘tis", "'tis"), ("2½", "2 1⁄2"), ("½", "1⁄2"), ("ﬁn", "fin")],
)
def test_fold(text: str, plain: str) -> None:
    assert fold(text) == plain


def test_readings_are_lowercase_words() -> None:
    for table in (ABBREVIATIONS, DOTTED):
        for abbreviation, readings in table.items():
            words = [abbreviation, *(word for reading in readings for word in reading)]
            assert all(word.isalpha() and word.islower() for word in words)


def test_an_abbreviation_is_in_one_table() -> None:
    assert not ABBREVIATIONS.keys() & DOTTED.keys()
    assert {("number",), ("no",)} == set(DOTTED["no"])
    for abbreviation, word in (BEFORE_NUMBER | AFTER_NUMBER).items():
        assert (word,) in (ABBREVIATIONS | DOTTED)[abbreviation]
