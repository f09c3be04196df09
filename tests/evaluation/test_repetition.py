import random
from math import sqrt

import pytest

from spiritlm_cli.evaluation.repetition import (
    auto_bleu,
    auto_bleu_slamkit,
    self_bleu,
    split_words,
    vert,
)

TEXTS = ["the cat sat the cat ran", "the cat sat down", "dogs ran the race"]


@pytest.mark.parametrize(
    ("text", "gslm", "slamkit"),
    [
        ("the cat sat the cat ran", 0.5164, 0.4),
        ("a b a b", 0.8165, 0.6667),
        ("the the the", 0.0, 1.0),
        ("dogs ran the race", 0.0, 0.0),
        ("word", 0.0, 0.0),
        ("", 0.0, 0.0),
    ],
)
def test_auto_bleu(text: str, gslm: float, slamkit: float) -> None:
    assert auto_bleu(text.split()) == pytest.approx(gslm, abs=5e-5)
    assert auto_bleu_slamkit(text.split()) == pytest.approx(slamkit, abs=5e-5)


def test_vert() -> None:
    texts = [text.split() for text in TEXTS]
    between = self_bleu(texts)
    within = [auto_bleu(words) for words in texts]
    assert between == pytest.approx([0.5164, 0.7071, 0.0], abs=5e-5)
    assert within == pytest.approx([0.5164, 0.0, 0.0], abs=5e-5)
    assert sum(between) / 3 == pytest.approx(0.4078, abs=5e-5)
    assert sum(within) / 3 == pytest.approx(0.1721, abs=5e-5)
    assert vert(between, within) == pytest.approx(0.2650, abs=5e-5)


def clipped_precision(texts: list[list[str]], index: int, n: int) -> float:
    """By the definition, with a loop over the references."""
    grams = [[tuple(words[i : i + n]) for i in range(len(words) - n + 1)] for words in texts]
    own, others = grams[index], grams[:index] + grams[index + 1 :]
    clipped = sum(min(own.count(gram), max(other.count(gram) for other in others)) for gram in set(own))
    return clipped / len(own) if own else 0.0


def test_self_bleu_by_the_definition() -> None:
    rng = random.Random(0)
    texts = [rng.choices("abc", k=rng.randrange(7)) for _ in range(9)]
    expected = [sqrt(clipped_precision(texts, i, 1) * clipped_precision(texts, i, 2)) for i in range(9)]
    assert self_bleu(texts) == pytest.approx(expected)


def test_self_bleu_of_one_text() -> None:
    assert self_bleu([["a", "b"]]) == [0.0]
    assert self_bleu([]) == []


def test_split_words() -> None:
    text = "Don't stop. Well, go!"
    assert split_words(text) == ["Don", "'", "t", "stop", ".", "Well", ",", "go", "!"]
    pytest.importorskip("nltk")
    assert split_words(text, "nltk") == ["Do", "n't", "stop", ".", "Well", ",", "go", "!"]
