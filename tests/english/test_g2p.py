import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlm_cli.english.g2p import letters_to_phones

PHONES = (
    "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH"
)


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("flurb", "F L ER B"),
        ("cake", "K EY K"),
        ("jumped", "JH AH M P T"),
        ("wanted", "W AE N T IH D"),
        ("boxes", "B AA K S IH Z"),
        ("nation", "N AE SH AH N"),
        ("knight", "N AY T"),
        ("picture", "P IH K CH ER"),
        ("quick", "K W IH K"),
        ("city", "S IH T IY"),
    ],
)
def test_letters_to_phones(word: str, phones: str) -> None:
    assert " ".join(letters_to_phones(word)) == phones


@given(st.text("abcdefghijklmnopqrstuvwxyz", max_size=20))
def test_letters_to_phones_of_any_word(word: str) -> None:
    assert set(letters_to_phones(word)) <= {*PHONES.split()}
