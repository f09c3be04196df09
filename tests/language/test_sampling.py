from collections import Counter

import pytest
import torch

from spiritlm_cli.language.sampling import Sampling, line_generator, next_token

# probabilities 0.5, 0.25, 0.125, 0.0625, 0.0625, in another order
LOGITS = torch.tensor([0.125, 0.5, 0.0625, 0.25, 0.0625]).log()
ALL = torch.ones(5, dtype=torch.bool)
NONE_SEEN = torch.tensor([], dtype=torch.int64)


def draw(sampling: Sampling, allowed: torch.Tensor = ALL, seen: torch.Tensor = NONE_SEEN) -> Counter[int]:
    generator = line_generator(0, "")
    return Counter(next_token(LOGITS, allowed, seen, sampling, generator) for _ in range(2000))


def test_tokens_come_as_often_as_they_are_likely() -> None:
    counts = draw(Sampling(temperature=1, top_p=1))
    for token, probability in enumerate(LOGITS.exp().tolist()):
        assert counts[token] / 2000 == pytest.approx(probability, abs=0.04)


def test_temperature_sharpens() -> None:
    # squared probabilities: 0.25 of a sum of 0.3359
    assert draw(Sampling(temperature=0.5, top_p=1))[1] / 2000 == pytest.approx(0.744, abs=0.04)


@pytest.mark.parametrize(("top_p", "kept"), [(0.01, {1}), (0.5, {1}), (0.51, {1, 3}), (0.8, {0, 1, 3})])
def test_top_p_keeps_the_fewest_that_reach_it(top_p: float, kept: set[int]) -> None:
    assert set(draw(Sampling(temperature=1, top_p=top_p))) == kept


def test_top_k_keeps_the_likeliest() -> None:
    assert set(draw(Sampling(top_p=1, top_k=2))) == {1, 3}
    assert set(draw(Sampling(temperature=1, top_p=0.6, top_k=2))) == {1}, "top_p counts within top_k"


def test_greedy_takes_the_likeliest() -> None:
    assert set(draw(Sampling(greedy=True))) == {1}


def test_what_is_not_allowed_never_comes() -> None:
    allowed = torch.tensor([True, False, True, False, True])
    assert set(draw(Sampling(top_p=1), allowed)) == {0, 2, 4}
    assert set(draw(Sampling(greedy=True), allowed)) == {0}


def test_repetition_penalty() -> None:
    logits = torch.tensor([2.0, 1.5, -1.0, -1.2])
    sampling = Sampling(greedy=True, repetition_penalty=1.5)

    def taken(seen: list[int], allowed: list[int]) -> int:
        mask = torch.zeros(4, dtype=torch.bool)
        mask[allowed] = True
        return next_token(logits, mask, torch.tensor(seen), sampling, line_generator(0, ""))

    assert taken([0, 0], [0, 1]) == 1, "2 / 1.5 is less than 1.5, counted once"
    assert taken([2], [2, 3]) == 3, "-1 × 1.5 is less than -1.2"
    assert taken([3], [0, 1, 2, 3]) == 0


def test_a_line_has_random_numbers_of_its_own() -> None:
    def numbers(seed: int, key: str) -> list[float]:
        return torch.rand(4, generator=line_generator(seed, key)).tolist()

    assert numbers(1, "a") == numbers(1, "a")
    assert numbers(1, "a") != numbers(1, "b")
    assert numbers(1, "a") != numbers(2, "a")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", 0),
        ("top_p", 0),
        ("top_p", 1.1),
        ("top_k", -1),
        ("repetition_penalty", 0),
        ("max_new_tokens", 0),
    ],
)
def test_a_value_out_of_range_is_named(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        Sampling(**{field: value})
