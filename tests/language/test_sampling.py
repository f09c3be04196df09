from collections import Counter
from dataclasses import replace

import pytest
import torch

from spiritlm_cli.language.sampling import Sampling, line_generator, next_tokens

# probabilities 0.5, 0.25, 0.125, 0.0625, 0.0625, in another order
LOGITS = torch.tensor([0.125, 0.5, 0.0625, 0.25, 0.0625]).log()
ALL = torch.ones(5, dtype=torch.bool)


def draw(sampling: Sampling, allowed: torch.Tensor = ALL) -> Counter[int]:
    rows = 2000
    generator = line_generator(0, "")
    drawn = next_tokens(
        LOGITS.expand(rows, -1), allowed.expand(rows, -1), [[]] * rows, sampling, [generator] * rows
    )
    return Counter(drawn)


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


def test_min_p_keeps_what_is_likely_enough_beside_the_likeliest() -> None:
    assert set(draw(Sampling(temperature=1, top_p=1, min_p=0.25))) == {0, 1, 3}
    assert set(draw(Sampling(temperature=1, top_p=1, min_p=0.26))) == {1, 3}
    assert set(draw(Sampling(min_p=1.0))) == {1}


@pytest.mark.parametrize("spread", [0.1, 3.0])
def test_only_the_head_is_sorted_and_that_changes_nothing(
    spread: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flat distributions go beyond the head, sharp ones don't; both give what sorting everything gives."""
    rows = 20
    logits = torch.randn(rows, 3000, generator=torch.Generator().manual_seed(1)) * spread
    allowed = torch.rand(rows, 3000, generator=torch.Generator().manual_seed(2)) < 0.9
    for sampling in (Sampling(), Sampling(min_p=0.05), Sampling(top_p=1.0, min_p=0.01)):

        def drawn(sampling: Sampling = sampling) -> list[int]:
            generators = [line_generator(row, "") for row in range(rows)]
            return next_tokens(logits, allowed, [[]] * rows, sampling, generators)

        quick = drawn()
        alone = [
            next_tokens(
                logits[row, None], allowed[row, None], [[]], sampling, [line_generator(row, "")]
            )[0]
            for row in range(rows)
        ]  # fmt: skip
        assert quick == alone
        monkeypatch.setattr("spiritlm_cli.language.sampling._HEAD", 3000)
        assert drawn() == quick
        monkeypatch.undo()


def test_the_last_number_finds_a_token_that_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "rand", lambda *_, generator: torch.tensor(1.0).nextafter(torch.tensor(0.0)))
    allowed = torch.tensor([True, False, True, False, False])
    for sampling in (Sampling(top_p=1), Sampling(top_p=1, min_p=1e-6), Sampling(top_k=4)):
        assert next_tokens(LOGITS[None], allowed[None], [[]], sampling, [line_generator(0, "")]) == [2]


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
        return next_tokens(logits[None], mask[None], [seen], sampling, [line_generator(0, "")])[0]

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
        ("temperature", float("inf")),
        ("top_p", 0),
        ("top_p", 1.1),
        ("top_k", -1),
        ("repetition_penalty", 0),
        ("max_new_tokens", 0),
        ("min_p", 1.5),
        ("stop", ("",)),
        ("max_seconds", 0.0),
        ("min_seconds", float("nan")),
    ],
)
def test_a_value_out_of_range_is_named(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        Sampling(**{field: value})


def test_the_least_is_no_more_than_the_most() -> None:
    sampling = Sampling(min_seconds=2.0, max_seconds=2.0)
    assert sampling.timed
    with pytest.raises(ValueError, match="min_seconds, 3"):
        replace(sampling, min_seconds=3.0)
