import pytest
from pair_fixtures import compare, pair

from spiritlm_cli.evaluation.pair_report import pair_result
from spiritlm_cli.evaluation.pairs import Group, Pair
from spiritlm_cli.evaluation.records import RunDescription
from spiritlm_cli.evaluation.result import EvaluationResult, Published


def result(*pairs: Pair, published: tuple[Published, ...] = ()) -> EvaluationResult | None:
    records = [{"id": one.pair.id, **one.to_record()} for one in compare(*pairs)]
    return pair_result(RunDescription("wuggy", "1"), records, published)


def test_pair_result_averages_readings_then_items_by_group() -> None:
    rare, often = Group("frequency", "rare", 1), Group("frequency", "often", 0)
    found = result(
        # one of the first item's three readings is right, and the second item's only one
        pair("a", "b", item="1", voice="x", set="dev", groups=(rare,)),
        pair("b", "a", item="1", voice="y", set="dev", groups=(rare,)),
        pair("b", "aa", item="1", voice="z", set="dev", groups=(rare,)),
        pair("aa", "b", item="2", voice="x", set="dev", groups=(often,)),
        pair("b", "a", item="1", set="test"),
        published=(Published("Base", {"by_mean": 69.0}),),
    )
    assert found
    assert (found.items, found.counts) == (3, {"pairs": 5})
    assert [row.label for row in found.rows] == [
        "dev overall", "dev frequency: often", "dev frequency: rare", "test overall",
    ]  # fmt: skip
    overall = found.row("overall", set="dev")
    assert overall.values["by_mean"].value == pytest.approx((1 / 3 + 1) / 2)
    # by sum aa and b are even, so that the first item has a third and a half of one
    assert overall.values["by_sum"].value == pytest.approx((1.5 / 3 + 0.5) / 2)
    assert found.row("rare", "frequency", "dev").items == 1
    assert found.row("overall", set="test").values["by_mean"].text(100) == "0.0"
    assert [bool(row.published) for row in found.rows] == [True, False, False, True]


def test_pair_result_without_pairs() -> None:
    assert pair_result(RunDescription("wuggy", "1"), [{"id": "a", "good": [], "bad": []}]) is None
