from typing import Any

import pytest
from pair_fixtures import compare, pair

from spiritlm_cli.evaluation.gold import word_groups
from spiritlm_cli.evaluation.pair_report import benchmark_result, pair_result, salmon_result, story_result
from spiritlm_cli.evaluation.pairs import Group, Pair
from spiritlm_cli.evaluation.records import RunDescription
from spiritlm_cli.evaluation.result import EvaluationResult, Published


def result(*pairs: Pair, published: tuple[Published, ...] = ()) -> EvaluationResult | None:
    records = [{"id": one.pair.id, **one.to_record()} for one in compare(*pairs)]
    return pair_result(RunDescription("wuggy", "1"), records, lambda _: published)


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


def record(name: str, won: float, **fields: Any) -> dict[str, Any]:
    """The record of a pair whose good side wins this share of the comparisons."""
    groups = [vars(group) for group in fields.pop("groups", ())]
    return {"id": name, "set": None, "item": None, "by_mean": won, "by_sum": won, "groups": groups, **fields}


def percents(found: EvaluationResult | None) -> dict[str, str]:
    assert found
    return {row.label: f"{100 * row.values['by_mean'].value:.2f}" for row in found.rows}


def test_mean_over_groups_leaves_out_records_without_group() -> None:
    records = [
        record("1", 1.0, groups=(Group("UID", "a"),)),
        record("2", 0.0, groups=(Group("UID", "b"),)),
        record("3", 1.0),
    ]
    description = RunDescription("blimp", "1", facts={"read as": "text", "set": "BLiMP"})
    found = benchmark_result(description, records)
    assert percents(found) == {
        "overall": "66.67",
        "mean over UIDs": "50.00",
        "UID: a": "100.00",
        "UID: b": "0.00",
    }
    assert found
    assert found.row("mean over UIDs").items == 2


def test_benchmark_result_equals_the_official_evaluation() -> None:
    # computed by zerospeech-benchmarks 0.9.4
    words = {"1": ("12", (1, 0, 0, 0)), "2": ("0", (0.5, 0.5, 0, 0)), "3": ("3", (1, 1, 0, 0))}
    records = [
        record(f"{item}/{voice}", won, set="dev", item=item, groups=word_groups(frequency, "4", "gold.csv"))
        for item, (frequency, voices) in words.items()
        for voice, won in enumerate(voices)
    ]
    description = RunDescription("wuggy", "1", facts={"read as": "speech"})
    found = benchmark_result(description, records)
    assert percents(found) == {
        "dev overall": "33.33",
        "dev vocabulary: in": "37.50",
        "dev vocabulary: out": "25.00",
        "dev frequency: oov": "25.00",
        "dev frequency: 1–4": "50.00",
        "dev frequency: 5–19": "25.00",
        "dev length: 4 phones": "33.33",
    }
    assert found
    assert found.rows[0].published[0].values == {"by_mean": 69.0, "by_sum": 71.4}
    # one item has no interval
    assert found.row("oov", "frequency", "dev").values["by_mean"].low is None


def test_benchmark_result_averages_types_with_the_same_weight() -> None:
    types = [Group("type", name) for name in ("a", "a", "a", "b")]
    records = [record(str(index), index % 2, groups=(group,)) for index, group in enumerate(types)]
    found = benchmark_result(RunDescription("blimp", "1", facts={"read as": "text"}), records)
    assert percents(found) == {
        "overall": "50.00", "mean over types": "66.67", "type: a": "33.33", "type: b": "100.00",
    }  # fmt: skip
    assert found
    assert found.items == 4
    assert found.rows[0].published[0].values == {"by_mean": 73.3, "by_sum": 75.7}
    # BLiMP's own sentences are another set
    facts = {"read as": "text", "set": "BLiMP"}
    found = benchmark_result(RunDescription("blimp", "1", facts=facts), [record("x", 1.0)])
    assert found
    assert found.rows[0].published == ()


def test_story_result_has_a_row_for_each_direction() -> None:
    records = [record(f"{name}/{direction}", won, set=direction, item=name) for direction, name, won in (
        ("T→T", "a", 1.0), ("T→T", "b", 0.5), ("S→T", "a", 0.0),
    )]  # fmt: skip
    found = story_result(RunDescription("topic-storycloze", "1"), records)
    assert percents(found) == {"T→T overall": "75.00", "S→T overall": "0.00"}
    assert found
    assert [row.published[0].values["by_mean"] for row in found.rows] == [98.0, 88.6]
    assert found.notes[1] == "T→T: a space joins a story and its ending; it belongs to the ending."
    found = story_result(RunDescription("storycloze", "1"), records[2:])
    assert found
    assert len(found.notes) == 1


def test_salmon_result_averages_its_parts() -> None:
    records = [record(f"{part}/{won}", won, set=part) for part, won in (
        ("rir_consistency", 0.5), ("rir_consistency", 1.0), ("rir_consistency", 0.0), ("bg_alignment", 1.0),
    )]  # fmt: skip
    found = salmon_result(RunDescription("salmon", "1"), records)
    assert percents(found) == {
        "rir_consistency overall": "50.00", "bg_alignment overall": "100.00", "mean over sets": "75.00",
    }  # fmt: skip
    assert found
    assert (found.items, found.rows[1].published[1].values) == (4, {"by_mean": 59.5})
