import json
from pathlib import Path

import pytest

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


def test_labels_are_left_out_or_kept(
    recording_file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = "and a strip of cow skin [noise] for a belt to hold it in"
    manifest = tmp_path / "m.tsv"
    manifest.write_text(
        f"id\taudio\tend\ttext\na\t{recording_file}\t3\t{text}\nb\t{recording_file}\t3\tan <unk>\n"
    )
    output = tmp_path / "a.ctm"
    assert (
        run(AlignOptions(manifest=str(manifest), output=str(output), workers=0, on_error="skip")).failed == 1
    )
    assert "noise" not in output.read_text()
    assert "a: 1 labels of noise were left out: [noise]" in caplog.text
    assert "'<unk>' stands for an unknown word" in caplog.text
    one = tmp_path / "one.tsv"
    one.write_text("".join(manifest.read_text().splitlines(keepends=True)[:2]))
    run(AlignOptions(manifest=str(one), output=str(output), workers=0, keep_labels=True))
    assert [line.split()[4] for line in output.read_text().splitlines()] == text.split()
