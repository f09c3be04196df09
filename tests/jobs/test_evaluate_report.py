from pathlib import Path

import pytest

from spiritlm_cli.evaluation.records import RunDescription, format_record
from spiritlm_cli.evaluation.reports import compute_result
from spiritlm_cli.jobs.evaluate_report import EvaluateReportOptions, markdown, run


def test_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = []
    for task, facts in (("pairs", {"list": "a|b <i>"}), ("wuggy", {"read as": "text"})):
        record = {"id": "a", "set": "dev", "item": None, "groups": [], "by_mean": 1.0, "by_sum": 0.5}
        files.append(tmp_path / f"{task}.jsonl")
        lines = RunDescription(task, "0.2.0", "nano", items=1, facts=facts).to_line(), format_record(record)
        files[-1].write_text("\n".join(lines) + "\n")
    assert run(EvaluateReportOptions(runs=tuple(files))).inputs == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| Task |")
    assert "| pairs | dev overall | by mean, % | 100.0 | 1 |  |" in lines
    published = "Base 80.3, Expressive 75.8, Base+ASR+TTS 76.8, Whisper+Llama 2 84.1"
    assert f"| wuggy | dev overall | by mean, % | 100.0 | 1 | {published} |" in lines
    assert any(
        line.startswith("- **pairs**: 1 items, 1 pairs; nano; list a\\|b &lt;i>; spiritlm 0.2.0.")
        for line in lines
    )


def test_a_run_without_result_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "wuggy.jsonl"
    description = RunDescription("wuggy", "0.2.0", data=["test"], items=1, facts={"read as": "speech"})
    path.write_text(f'{description.to_line()}\n{{"id": "a", "set": "test", "good": [], "bad": []}}\n')
    run(EvaluateReportOptions(runs=(path,)))
    assert "wuggy, test: nothing was compared" in caplog.text


def test_results_of_one_task_are_numbered() -> None:
    description = RunDescription("pairs", "0.2.0", facts={"list": "a\x1b[31m"})
    record = {"id": "a", "set": None, "item": None, "groups": [], "by_mean": 1.0, "by_sum": 0.5}
    result = compute_result(description, [record])
    assert result
    lines = list(markdown([result, result]))
    assert [line.split(" | ")[0] for line in lines[2:6]] == ["| pairs (1)"] * 2 + ["| pairs (2)"] * 2
    assert lines[-1].startswith("- **pairs (2)**: 1 items, 1 pairs; list a?[31m;")
