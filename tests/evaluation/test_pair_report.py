import json

import pytest
from pair_fixtures import compare, pair
from rich.console import Console

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.pair_report import PairReport, PublishedAccuracy
from spiritlm_cli.evaluation.pairs import Group


def test_report_averages_readings_then_items_by_group() -> None:
    rare, often = Group("frequency", "rare", 1), Group("frequency", "often", 0)
    report = PairReport.of(
        "wuggy",
        compare(
            # one of the first item's three readings is right, and the second item's only one
            pair("a", "b", item="1", voice="x", set="dev", groups=(rare,)),
            pair("b", "a", item="1", voice="y", set="dev", groups=(rare,)),
            pair("b", "aa", item="1", voice="z", set="dev", groups=(rare,)),
            pair("aa", "b", item="2", voice="x", set="dev", groups=(often,)),
            pair("b", "a", item="1", set="test"),
        ),
        skipped=3,
        published=(PublishedAccuracy("Base", 69.0),),
    )
    assert (report.items, report.pairs, report.skipped) == (3, 5, 3)
    rows = {(row.set, row.name): row for row in report.rows}
    assert list(rows) == [("dev", "overall"), ("dev", "often"), ("dev", "rare"), ("test", "overall")]
    assert rows["dev", "overall"].by_mean.accuracy == pytest.approx((1 / 3 + 1) / 2)
    # by sum aa and b are even, so that the first item has a third and a half of one
    assert rows["dev", "overall"].by_sum.accuracy == pytest.approx((1.5 / 3 + 0.5) / 2)
    assert (rows["dev", "rare"].items, rows["dev", "rare"].pairs) == (1, 3)
    assert rows["test", "overall"].by_mean.accuracy == 0.0
    assert json.loads(json.dumps(report.to_json()))["rows"][0]["by_mean"]["accuracy"] == pytest.approx(2 / 3)

    console = Console(width=100)
    with console.capture() as capture:
        console.print(report.table())
    printed = capture.get()
    for text in (
        "wuggy: 3 items, 5 pairs, 3 skipped",
        "dev frequency: rare",
        "33.3 [33.3–33.3]",
        "69.0",
    ):
        assert text in printed


def test_report_without_pairs() -> None:
    with pytest.raises(ManifestError, match="no pair was scored"):
        PairReport.of("pairs", [])
