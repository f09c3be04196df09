import json

import pytest

from spiritlm_cli.errors import TokenError
from spiritlm_cli.jobs.inspect import InspectOptions, run
from spiritlm_cli.jobs.run import Summary


def test_on_error_skip(small, mixed_lines, tmp_path, capsys):
    errors = tmp_path / "bad.tsv"
    options = InspectOptions(**small, inputs=(mixed_lines,), on_error="skip", errors=errors, as_json=True)
    assert run(options) == Summary(3, 1)
    assert [json.loads(row)["id"] for row in capsys.readouterr().out.splitlines()] == ["a", "c"]
    assert errors.read_text().startswith("b\t")


def test_on_error_fail(small, mixed_lines):
    with pytest.raises(TokenError, match=r"lines\.txt: line 2"):
        run(InspectOptions(**small, inputs=(mixed_lines,), as_json=True))
