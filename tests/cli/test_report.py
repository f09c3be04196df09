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
