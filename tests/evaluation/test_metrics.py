import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlm_cli.errors import MissingPackageError
from spiritlm_cli.evaluation.metrics import (
    Accuracy,
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
    assert wer([reference], [hypothesis], normalizer="whisper").rate == 1 / 2
    # five hundred one men, five hundred one man
    assert word_errors(reference, hypothesis, "spoken") == ErrorCount(1, 0, 0, 4)
    assert cer([reference], [hypothesis], normalizer="spoken").rate == 1 / 20


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
    assert (rate.errors, rate.length, rate.items) == (2, 10, 2)
    assert rate.rate == pytest.approx(0.2)
    assert cer(["abcd"], ["abed"]).rate == pytest.approx(0.25)


def test_interval_holds_the_rate_and_repeats_with_the_seed() -> None:
    counts = [ErrorCount(errors, 0, 0, 10) for errors in (0, 1, 2, 3, 0, 0, 5, 1, 1, 2)]
    first = error_rate(counts, seed=3)
    assert first == error_rate(counts, seed=3)
    assert first.low < first.rate < first.high
    assert first != error_rate(counts, seed=4)


def test_interval_of_a_fair_coin_is_the_binomial_one() -> None:
    # 400 items of one word, half wrong: the rate's standard error is sqrt(.25 / 400) = 0.025
    rate = error_rate([ErrorCount(wrong, 0, 0, 1) for wrong in (0, 1) * 200])
    assert rate.low == pytest.approx(0.5 - 1.96 * 0.025, abs=0.01)
    assert rate.high == pytest.approx(0.5 + 1.96 * 0.025, abs=0.01)


def test_interval_of_equal_items_is_a_point() -> None:
    rate = error_rate([ErrorCount(1, 0, 0, 4)] * 5)
    assert (rate.low, rate.rate, rate.high) == (0.25, 0.25, 0.25)


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


def test_accuracy_interval_of_a_binomial() -> None:
    found = Accuracy.of([1.0] * 60 + [0.0] * 40)
    assert found.accuracy == pytest.approx(0.6)
    # 1.96 standard errors of √(.6 × .4 / 100)
    assert (found.low, found.high) == pytest.approx((0.504, 0.696), abs=0.02)


def test_accuracy_without_values() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Accuracy.of([])
