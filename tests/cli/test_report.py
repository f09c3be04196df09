import json
from typing import Any

import pytest
from rich.table import Table

from spiritlm_cli.cli.report import print_report


class Numbers:
    def to_json(self) -> dict[str, Any]:
        return {"wer": 0.5, "name": "é"}

    def table(self) -> Table:
        table = Table("WER %")
        table.add_row("50.0")
        return table


def test_print_report(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(Numbers(), as_json=True)
    printed = capsys.readouterr()
    assert (json.loads(printed.out), printed.err) == ({"wer": 0.5, "name": "é"}, "")
    print_report(Numbers(), as_json=False)
    printed = capsys.readouterr()
    assert "WER %" in printed.out
    assert "50.0" in printed.out
    assert not printed.err


class Names:
    """A table whose row names need more room than a narrow terminal has."""

    def to_json(self) -> dict[str, Any]:
        return {}

    def table(self) -> Table:
        table = Table(title="pairs", caption="A tie is half.")
        table.add_column("")
        table.add_column("items", justify="right", no_wrap=True)
        table.add_column("by mean %", justify="right", no_wrap=True)
        table.add_row("frequency: out of vocabulary", "4", r"75.0 \[25.0–100.0]")
        table.add_row("  published", "", "69.0")
        return table


@pytest.mark.parametrize("columns", [30, 40, *range(50, 66), 80])
def test_names_of_rows_are_whole_at_any_width(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    print_report(Names(), as_json=False)
    printed = capsys.readouterr().out
    assert "…" not in printed
    assert max(map(len, printed.splitlines())) <= columns
    words = printed.replace("│", " ").split()
    assert {"out", "vocabulary", "published", "[25.0–100.0]", "69.0"} <= set(words)
    assert ("│" in printed) == (columns >= 56)
    if columns < 56:
        assert "frequency: out of vocabulary\n  items: 4\n  by mean %: 75.0 [25.0–100.0]\n" in printed
        assert "  published\n    by mean %: 69.0\n" in printed
