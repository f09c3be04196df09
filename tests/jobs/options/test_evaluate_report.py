from pathlib import Path

import pytest

from spiritlm_cli.jobs.options.evaluate_report import EvaluateReportOptions


def test_check_names_a_missing_file() -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.jsonl"):
        EvaluateReportOptions(runs=(Path("gone.jsonl"),)).check()
