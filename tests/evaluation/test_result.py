import json

import pytest
from rich.console import Console

from spiritlm_cli.evaluation.estimate import Estimate
from spiritlm_cli.evaluation.records import RunDescription
from spiritlm_cli.evaluation.result import EvaluationResult, Metric, Published, ResultRow

RESULT = EvaluationResult(
    RunDescription("speech", "0.2.0", "nano", facts={"F0": "pyaapt"}, items=3),
    2,
    (Metric("wer", "WER"), Metric("mos", "MOS", percent=False, digits=2)),
    (
        ResultRow(
            "overall", 2, {"wer": Estimate(0.25, 0.1, 0.5, 2), "mos": Estimate(3.456, count=2)},
            published=(Published("Base | clean", {"wer": 21.9}),),
        ),
        ResultRow("[red]", 1, {"wer": Estimate(0.5, count=1)}, kind="voice", set="dev"),
    ),
    ("A note.",),
    {"seconds": 12.34, "pairs": 4},
    skipped=1,
)  # fmt: skip


def test_table() -> None:
    console = Console(width=100)
    with console.capture() as capture:
        console.print(RESULT.table())
    printed = " ".join(capture.get().split())
    for text in (
        "speech: 2 items, 12.3 seconds, 4 pairs, 1 skipped",
        "WER %",
        "25.0 [10.0–50.0]",
        "3.46",
        "dev voice: [red]",
        "published: Base | clean",
        "21.9",
        "A note.",
        "nano; F0 pyaapt; spiritlm 0.2.0",
        "on other data",
    ):
        assert text in printed


def test_to_json() -> None:
    parsed = json.loads(json.dumps(RESULT.to_json(), allow_nan=False))
    assert (parsed["task"], parsed["items"], parsed["skipped"], parsed["pairs"]) == ("speech", 2, 1, 4)
    assert parsed["rows"][0]["wer"] == {"value": 0.25, "low": 0.1, "high": 0.5, "count": 2}
    assert parsed["rows"][0]["published"] == [{"what": "Base | clean", "wer": 21.9}]
    assert (parsed["rows"][1]["set"], parsed["rows"][1]["kind"]) == ("dev", "voice")
    assert parsed["run"]["facts"] == {"F0": "pyaapt"}


def test_row() -> None:
    assert RESULT.row("[red]", "voice", "dev").items == 1
    with pytest.raises(KeyError):
        RESULT.row("blue")


def test_markdown_rows() -> None:
    assert list(RESULT.markdown_rows()) == [
        ("speech", "overall", "WER, %", "25.0 [10.0–50.0]", "2", "Base | clean 21.9"),
        ("speech", "overall", "MOS", "3.46", "2", ""),
    ]
    assert len(list(RESULT.markdown_rows(groups=True))) == 3
