import json
from pathlib import Path

import pytest

from spiritlm_cli.errors import OptionError
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


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        ({}, "jsonl"),
        ({"output": "x.ctm"}, "ctm"),
        ({"output": "x.TextGrid"}, "textgrid"),
        ({"output": "x.json"}, "whisper"),
        ({"output": "folder/"}, "textgrid"),
        ({"output": "folder/", "format": "whisperx"}, "whisperx"),
    ],
)
def test_chosen_format(options: dict[str, str], chosen: str) -> None:
    assert AlignOptions(audio=("a.wav",), **options).chosen_format == chosen  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        ({"audio": ("a.wav", "b.wav"), "text": "hello"}, "--text"),
        ({"audio": ("a.wav",), "format": "ctm", "output": "folder/"}, "-o"),
        ({"audio": ("a.wav",), "format": "ctm", "output": "x", "resume": True}, "--resume"),
        ({"audio": ("a.wav", "b.wav"), "format": "whisper"}, "--format"),
        ({"audio": ("-",)}, "--format"),
    ],
)
def test_check_refuses_what_cannot_be_combined(options: dict[str, object], flag: str) -> None:
    with pytest.raises(OptionError) as raised:
        AlignOptions(**options).check()  # type: ignore[arg-type]
    assert raised.value.option == flag
