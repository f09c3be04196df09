from collections.abc import Sequence

import numpy as np
import pytest

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.abx import AbxGroup, AbxLimits, Mode, abx_cells, abx_groups
from spiritlm_cli.evaluation.abx_average import AbxAverage
from spiritlm_cli.evaluation.abx_distance import token_distances
from spiritlm_cli.evaluation.abx_items import AbxToken


def token(phone: str, unit: int, speaker: str = "s", context: tuple[str, str] = ("B", "C")) -> AbxToken:
    """A token of one frame; the name of its file is its unit."""
    return AbxToken(str(unit), 0, 1, phone, context, speaker)


def unit_of(item: AbxToken) -> np.ndarray:
    return np.array([int(item.file)]) if item.file != "none" else np.array([], dtype=np.int64)


def errors(group: AbxGroup, max_group: int | None = 10) -> dict[tuple[str, str], float]:
    return {(cell.a, cell.b): cell.error for cell in abx_cells(group, unit_of, max_group)}


TOKENS = [token("A", 1), token("A", 2), token("B", 1), token("B", 1), token("B", 2)]


def test_within_speaker_errors_of_five_tokens() -> None:
    """A is e1, e2; B is e1, e1, e2."""
    (group,) = abx_groups(TOKENS, "within")
    found = errors(group)
    assert found["A", "B"] == 0.75
    assert found["B", "A"] == pytest.approx(0.5833, abs=5e-5)
    average = AbxAverage(list(found.values()), ["s"] * 2, list(found))
    assert average() == pytest.approx(0.6667, abs=5e-5)
    assert [cell.triples for cell in abx_cells(group, unit_of)] == [6, 12]


def test_within_needs_two_tokens_of_a_and_another_phone() -> None:
    assert list(abx_groups([token("A", 1), token("B", 2)], "within")) == []
    assert list(abx_groups([token("A", 1), token("A", 2)], "within")) == []
    (group,) = abx_groups([token("A", 1), token("A", 1), token("B", 2)], "within")
    assert errors(group) == {("A", "B"): 0}


def test_tokens_without_frames_are_left_out() -> None:
    empty = AbxToken("none", 0, 1, "A", ("B", "C"), "s")
    (group,) = abx_groups([*TOKENS, empty], "within")
    assert errors(group)["A", "B"] == 0.75
    (group,) = abx_groups([empty, empty, token("B", 1)], "within")
    assert abx_cells(group, unit_of) == []


def test_features_of_different_sizes_are_refused() -> None:
    (group,) = abx_groups(TOKENS, "within", source="dev.item")
    sizes = {"1": (1, 3), "2": (1, 4)}
    with pytest.raises(ManifestError, match=r"dev.item: within s s B C: .* 3 dimensions and 4 dimensions"):
        abx_cells(group, lambda item: np.ones(sizes[item.file]))
    with pytest.raises(ManifestError, match="of 3 dimensions and units"):
        abx_cells(group, lambda item: np.ones(sizes[item.file][: 2 - int(item.file) // 2]))


def test_across_takes_x_of_another_speaker() -> None:
    other = [token("A", 1, "t"), token("A", 1, "t")]
    (group,) = abx_groups([token("A", 1), token("B", 2), *other], "across")
    assert (group.speaker, group.x_speaker) == ("s", "t")
    assert errors(group) == {("A", "B"): 0}
    (group,) = abx_groups([token("A", 2), token("B", 1), *other], "across")
    assert errors(group) == {("A", "B"): 1}
    (group,) = abx_groups([token("A", 2), token("B", 2), *other], "across")
    assert errors(group) == {("A", "B"): 0.5}


def test_groups_have_one_context() -> None:
    elsewhere = [token("A", 1, context=("B", "D")), token("A", 2, context=("B", "D"))]
    assert [group.context for group in abx_groups([*TOKENS, *elsewhere], "within")] == [("B", "C")]


def test_max_group_and_max_x_are_drawn_by_the_seed() -> None:
    speakers = [f"t{number}" for number in range(9)]
    tokens = [token("A", 1), token("B", 2), *(token("A", n, name) for n, name in enumerate(speakers))]

    def drawn(items: Sequence[AbxToken], limits: AbxLimits) -> list[str]:
        return [group.x_speaker for group in abx_groups(items, "across", limits)]

    assert len(drawn(tokens, AbxLimits())) == 5
    assert drawn(tokens, AbxLimits()) == drawn(tokens, AbxLimits())
    assert drawn(tokens, AbxLimits(max_x=None)) == speakers
    assert len({tuple(drawn(tokens, AbxLimits(seed=seed))) for seed in range(5)}) > 1
    many = [token("A", n) for n in range(20)] + [token("B", 50)]
    (group,) = abx_groups(many, "within", AbxLimits(seed=3))
    assert [cell.triples for cell in abx_cells(group, unit_of)] == [90]
    assert [cell.triples for cell in abx_cells(group, unit_of, None)] == [380]


def test_group_ids_are_distinct() -> None:
    tokens = [*TOKENS, token("A", 1, "t"), token("B", 2, "t")]
    ids = [group.id for mode in ("within", "across") for group in abx_groups(tokens, mode)]
    assert len(set(ids)) == len(ids) == 3
    assert next(abx_groups(TOKENS, "within")).files == {"1", "2"}


def naive_error(group: AbxGroup, a: str, b: str) -> float:
    """The error of a pair by its definition, from the distance of each triple."""

    def distance(one: AbxToken, other: AbxToken) -> float:
        return float(token_distances([unit_of(one)], [unit_of(other)])[0, 0])

    wrong = []
    for x in group.x_phones[a]:
        for near in group.phones[a]:
            for far in group.phones[b]:
                if near is not x:
                    difference = distance(x, near) - distance(x, far)
                    wrong.append((np.sign(difference) + 1) / 2)
    return float(np.mean(wrong))


@pytest.mark.parametrize("mode", ["within", "across"])
def test_errors_equal_those_of_single_triples(mode: Mode) -> None:
    rng = np.random.default_rng(4)
    tokens = [
        token(phone, int(rng.integers(4)), speaker) for phone in "AABBBC" for speaker in ("s", "t", "u")
    ]
    groups = list(abx_groups(tokens, mode))
    assert len(groups) == (3 if mode == "within" else 6)
    for group in groups:
        for (a, b), error in errors(group).items():
            assert error == pytest.approx(naive_error(group, a, b))
