import json

import pytest
import soundfile

from spiritlm_cli.errors import AudioError, TokenError
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


def test_a_missing_file_costs_its_place_only(small, mixed_lines, capsys):
    options = InspectOptions(**small, inputs=("gone.wav", mixed_lines), on_error="skip", as_json=True)
    assert run(options) == Summary(4, 2)
    captured = capsys.readouterr()
    assert [json.loads(row)["id"] for row in captured.out.splitlines()] == ["a", "c"]


def test_a_long_clip_is_not_tokenized_for_a_plot(small, tmp_path):
    path = tmp_path / "long.wav"
    soundfile.write(path, [0.0] * 8000 * 301, 8000)
    with pytest.raises(AudioError, match="301 s are too long for a plot"):
        run(InspectOptions(**small, inputs=(str(path),), plot=str(tmp_path / "long.png")))
