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


def test_twist_needs_no_further_options(twist_folder, short, tmp_path, capsys):
    lines = tmp_path / "lines.txt"
    lines.write_text("[SPEECH][Hu1][Hu2]\n")
    for given in (str(short), str(lines)):
        options = InspectOptions(model=str(twist_folder), device="cpu", inputs=(given,), as_json=True)
        assert run(options) == Summary(1)
        assert json.loads(capsys.readouterr().out)["id"]
    page = tmp_path / "page.html"
    options = InspectOptions(
        model=str(twist_folder), device="cpu", inputs=(str(short), str(lines)), html=page
    )
    assert run(options) == Summary(2)
    assert page.stat().st_size > 10_000
