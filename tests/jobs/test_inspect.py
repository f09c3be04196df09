import json
from pathlib import Path

import pytest

from spiritlm_cli.errors import TokenError
from spiritlm_cli.jobs.inspect import InspectOptions, run
from spiritlm_cli.jobs.run import Summary

LINE = "[SPEECH][St1][Pi1][Hu1][Pi2][Hu2][Pi3][Hu3]"


@pytest.fixture
def lines(tmp_path: Path) -> str:
    """A file of three token lines, the second of which can't be read."""
    path = tmp_path / "lines.txt"
    path.write_bytes(f"a\t{LINE}\nb\t".encode() + b"\xff\n" + b"c\t[TEXT]the cat\n")
    return str(path)


def test_on_error_skip(small, lines, tmp_path, capsys):
    errors = tmp_path / "bad.tsv"
    options = InspectOptions(**small, inputs=(lines,), on_error="skip", errors=errors, as_json=True)
    assert run(options) == Summary(3, 1)
    assert [json.loads(row)["id"] for row in capsys.readouterr().out.splitlines()] == ["a", "c"]
    assert errors.read_text().startswith("b\t")


def test_on_error_fail(small, lines):
    with pytest.raises(TokenError, match=r"lines\.txt: line 2"):
        run(InspectOptions(**small, inputs=(lines,), as_json=True))
