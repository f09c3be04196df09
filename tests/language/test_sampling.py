from collections import Counter
from dataclasses import replace

import pytest
import torch

from spiritlm_cli.language.sampling import Sampling, keyed_generator, sample_tokens

# probabilities 0.5, 0.25, 0.125, 0.0625, 0.0625, in another order
LOGITS = torch.tensor([0.125, 0.5, 0.0625, 0.25, 0.0625]).log()
ALL = torch.ones(5, dtype=torch.bool)


def draw(sampling: Sampling, allowed: torch.Tensor = ALL) -> Counter[int]:
    rows = 2000
    generators = [keyed_generator(0, "")] * rows
    drawn = sample_tokens(
        LOGITS.expand(rows, -1), allowed.expand(rows, -1), [[]] * rows, [sampling] * rows, generators
    )
    return Counter(drawn)


def test_tokens_are_drawn_by_their_probability() -> None:
    counts = draw(Sampling(temperature=1, top_p=1))
    for token, probability in enumerate(LOGITS.exp().tolist()):
        assert counts[token] / 2000 == pytest.approx(probability, abs=0.04)


def test_temperature_sharpens() -> None:
    # squared probabilities: 0.25 of a sum of 0.3359
    assert draw(Sampling(temperature=0.5, top_p=1))[1] / 2000 == pytest.approx(0.744, abs=0.04)


@pytest.mark.parametrize(("top_p", "kept"), [(0.01, {1}), (0.5, {1}), (0.51, {1, 3}), (0.8, {0, 1, 3})])
def test_top_p_keeps_the_fewest_tokens_that_reach_it(top_p: float, kept: set[int]) -> None:
    assert set(draw(Sampling(temperature=1, top_p=top_p))) == kept


def test_top_k_keeps_the_most_probable_tokens() -> None:
    assert set(draw(Sampling(top_p=1, top_k=2))) == {1, 3}
    assert set(draw(Sampling(temperature=1, top_p=0.6, top_k=2))) == {1}, "top_p counts within top_k"


def test_min_p_keeps_tokens_relative_to_the_most_probable() -> None:
    assert set(draw(Sampling(temperature=1, top_p=1, min_p=0.25))) == {0, 1, 3}
    assert set(draw(Sampling(temperature=1, top_p=1, min_p=0.26))) == {1, 3}
    assert set(draw(Sampling(min_p=1.0))) == {1}


@pytest.mark.parametrize("spread", [0.1, 3.0])
def test_sorting_only_the_head_changes_nothing(spread: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flat distributions need more than the head, sharp ones do not; both equal sorting everything."""
    rows = 20
    logits = torch.randn(rows, 3000, generator=torch.Generator().manual_seed(1)) * spread
    allowed = torch.rand(rows, 3000, generator=torch.Generator().manual_seed(2)) < 0.9
    for sampling in (Sampling(), Sampling(min_p=0.05), Sampling(top_p=1.0, min_p=0.01)):

        def drawn(rows: list[int], sampling: Sampling = sampling) -> list[int]:
            generators = [keyed_generator(row, "") for row in rows]
            return sample_tokens(
                logits[rows], allowed[rows], [[] for _ in rows], [sampling] * len(rows), generators
            )

        quick = drawn([*range(rows)])
        assert quick == [drawn([row])[0] for row in range(rows)]
        monkeypatch.setattr("spiritlm_cli.language.sampling._HEAD", 3000)
        assert drawn([*range(rows)]) == quick
        monkeypatch.undo()


def test_the_largest_random_number_draws_an_allowed_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "rand", lambda *_, generator: torch.tensor(1.0).nextafter(torch.tensor(0.0)))
    allowed = torch.tensor([True, False, True, False, False])
    for sampling in (Sampling(top_p=1), Sampling(top_p=1, min_p=1e-6), Sampling(top_k=4)):
        assert sample_tokens(LOGITS[None], allowed[None], [[]], [sampling], [keyed_generator(0, "")]) == [2]


def test_greedy_takes_the_most_probable_token() -> None:
    assert set(draw(Sampling(greedy=True))) == {1}


def test_tokens_that_are_not_allowed_are_never_drawn() -> None:
    allowed = torch.tensor([True, False, True, False, True])
    assert set(draw(Sampling(top_p=1), allowed)) == {0, 2, 4}
    assert set(draw(Sampling(greedy=True), allowed)) == {0}


def test_repetition_penalty() -> None:
    logits = torch.tensor([2.0, 1.5, -1.0, -1.2])
    sampling = Sampling(greedy=True, repetition_penalty=1.5)

    def taken(history: list[int], allowed: list[int]) -> int:
        mask = torch.zeros(4, dtype=torch.bool)
        mask[allowed] = True
        return sample_tokens(logits[None], mask[None], [history], [sampling], [keyed_generator(0, "")])[0]

    assert taken([0, 0], [0, 1]) == 1, "2 / 1.5 is less than 1.5, counted once"
    assert taken([2], [2, 3]) == 3, "-1 × 1.5 is less than -1.2"
    assert taken([3], [0, 1, 2, 3]) == 0


def test_rows_with_different_samplings_draw_as_they_do_alone() -> None:
    samplings = [
        Sampling(), Sampling(temperature=2.0), Sampling(greedy=True), Sampling(top_k=5), Sampling(min_p=0.2),
        Sampling(top_p=1.0), Sampling(repetition_penalty=1.5), Sampling(greedy=True, repetition_penalty=1.5),
        Sampling(temperature=2.0, seed=7, stop=("x",)), Sampling(),
    ]  # fmt: skip
    rows = len(samplings)
    logits = torch.randn(rows, 3000, generator=torch.Generator().manual_seed(1))
    allowed = torch.rand(rows, 3000, generator=torch.Generator().manual_seed(2)) < 0.9
    histories = [[row, row + 5, 2 * row] for row in range(rows)]

    def drawn(indices: list[int]) -> list[int]:
        return sample_tokens(
            logits[indices],
            allowed[indices],
            [histories[row] for row in indices],
            [samplings[row] for row in indices],
            [keyed_generator(row, "") for row in indices],
        )

    alone = [drawn([row])[0] for row in range(rows)]
    assert drawn([*range(rows)]) == alone
    assert drawn([*reversed(range(rows))]) == alone[::-1]


def test_keyed_generator_depends_on_seed_and_key() -> None:
    def numbers(seed: int, key: str) -> list[float]:
        return torch.rand(4, generator=keyed_generator(seed, key)).tolist()

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
def test_sampling_names_a_value_out_of_range(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        Sampling(**{field: value})


def test_min_seconds_must_not_exceed_max_seconds() -> None:
    sampling = Sampling(min_seconds=2.0, max_seconds=2.0)
    assert sampling.limits_seconds
    with pytest.raises(ValueError, match="min_seconds, 3"):
        replace(sampling, min_seconds=3.0)
