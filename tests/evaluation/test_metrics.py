import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlm_cli.errors import MissingPackageError
from spiritlm_cli.evaluation.metrics import (
    ErrorCount,
    cer,
    character_errors,
    error_rate,
    wer,
    word_errors,
)


def test_word_errors_by_kind() -> None:
    # "sat" heard as "sad", "the" lost, "down" added: 3 of 6
    count = word_errors("The cat sat on the mat.", "the cat sad on mat down")
    assert (count.substitutions + count.deletions + count.insertions, count.length) == (3, 6)
    assert word_errors("the cat", "the hat") == ErrorCount(1, 0, 0, 2)
    assert word_errors("the cat", "the") == ErrorCount(0, 1, 0, 2)
    assert word_errors("the cat", "the old cat") == ErrorCount(0, 0, 1, 2)


def test_character_errors_count_spaces() -> None:
    assert character_errors("the cat", "the hat") == ErrorCount(1, 0, 0, 7)
    assert character_errors("the cat", "thecat") == ErrorCount(0, 1, 0, 7)


def test_writing_is_not_an_error() -> None:
    assert word_errors("Mr. Hill owed $500!", "mister hill owed five hundred dollars").errors == 0


def test_normalizers_count_different_words() -> None:
    pytest.importorskip("whisper_normalizer")
    reference, hypothesis = "FIVE HUNDRED AND ONE MEN", "five hundred one man"
    # 501 men, 501 man
    assert word_errors(reference, hypothesis, "whisper") == ErrorCount(1, 0, 0, 2)
    assert wer([reference], [hypothesis], normalizer="whisper").value == 1 / 2
    # five hundred one men, five hundred one man
    assert word_errors(reference, hypothesis, "spoken") == ErrorCount(1, 0, 0, 4)
    assert cer([reference], [hypothesis], normalizer="spoken").value == 1 / 20


def test_nothing_heard_is_every_word_lost_and_the_rate_can_pass_one() -> None:
    assert word_errors("one two three four", "").rate == 1.0
    assert word_errors("yes", "no it is not").rate == 4.0


def test_an_empty_reference_has_a_rate() -> None:
    assert word_errors("", "") == ErrorCount(0, 0, 0, 0)
    assert word_errors("", "").rate == 0.0
    assert word_errors("", "a b").rate == 2.0


def test_corpus_rate_sums_before_it_divides() -> None:
    # 1 error in 8 words and 1 in 2: 2/10, not the mean of 1/8 and 1/2
    rate = wer(["a b c d e f g h", "a b"], ["a b c d e f g x", "a x"])
    assert (rate.value, rate.count) == (pytest.approx(0.2), 2)
    assert cer(["abcd"], ["abed"]).value == pytest.approx(0.25)


def test_nothing_to_compare() -> None:
    with pytest.raises(ValueError, match="at least one item"):
        error_rate([])
    with pytest.raises(ValueError, match="2 references and 1"):
        wer(["a", "b"], ["a"])


@given(st.lists(st.sampled_from("abcde"), max_size=8), st.lists(st.sampled_from("abcde"), max_size=8))
def test_counts_add_up(reference: list[str], hypothesis: list[str]) -> None:
    count = word_errors(" ".join(reference), " ".join(hypothesis))
    assert count.length == len(reference)
    assert count.length - count.deletions + count.insertions == len(hypothesis)
    assert abs(len(reference) - len(hypothesis)) <= count.errors <= max(len(reference), len(hypothesis))


def test_without_jiwer_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jiwer", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'spiritlm\[evaluate\]'"):
        word_errors("a", "b")
