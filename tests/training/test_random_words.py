"""Words of texts that are replaced at random."""

import random
from collections import Counter

from spiritlm_cli.training.random_words import RandomWords


def test_punctuation_case_and_what_is_no_word_stay() -> None:
    replace = RandomWords(["x"], 1.0)
    sentence = ["“Well,”", "said", "Tom,", "“it's", "5", "o'clock—or", "17:00!”"]
    drawn = {" ".join(replace(sentence, random.Random(seed))) for seed in range(2000)}
    assert "“X,” x X, “x 5 o'clock—or 17:00!”" in drawn
    assert " ".join(sentence) in drawn
    assert all(
        text.endswith(" 5 o'clock—or 17:00!”") and text.startswith(("“Well,”", "“X,”")) for text in drawn
    )


def test_shares_are_uniform_up_to_the_largest() -> None:
    replace, rng = RandomWords(["x"], 0.6), random.Random(0)
    shares = [replace(["a"] * 1000, rng).count("x") / 1000 for _ in range(400)]
    assert 0 <= min(shares) < 0.03
    assert 0.57 < max(shares) < 0.66
    assert abs(sum(shares) / len(shares) - 0.3) < 0.02


def test_rare_words_are_drawn_more_often_than_they_occur() -> None:
    replace, rng = RandomWords(["the " * 99 + "Goat,"], 1.0), random.Random(0)
    counts = Counter(word for _ in range(200) for word in replace(["a"] * 100, rng))
    # 1 of 100 words of the texts; with counts raised to 0.4, 1 of 7.3
    assert abs(counts["goat"] / (counts["goat"] + counts["the"]) - 1 / 7.28) < 0.02


def test_texts_without_words_change_nothing() -> None:
    assert RandomWords(["1 2 3"], 1.0)(["a", "4", "—"], random.Random(0)) == ["a", "4", "—"]
