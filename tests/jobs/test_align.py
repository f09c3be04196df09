import json
from pathlib import Path

from spiritlm_cli.jobs.align import AlignOptions, run
from spiritlm_cli.jobs.run import Summary


def test_run_from_python_writes_rows_and_files(manifest: Path, tmp_path: Path) -> None:
    rows = AlignOptions(manifest=str(manifest), output=str(tmp_path / "a.jsonl"), workers=0, on_error="skip")
    assert run(rows) == Summary(inputs=3, failed=1)
    first, bad, _ = (json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines())
    assert [word["word"] for word in first["words"][:3]] == ["and", "a", "strip"]
    assert "words" not in bad
    folder = AlignOptions(manifest=str(manifest), output=f"{tmp_path}/grids/", workers=0, on_error="skip")
    assert run(folder) == Summary(inputs=3, failed=1)
    assert sorted(path.name for path in (tmp_path / "grids").iterdir()) == ["a.TextGrid", "b.TextGrid"]
