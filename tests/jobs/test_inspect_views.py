import json
import sys
from pathlib import Path

import pytest

from spiritlm_cli.errors import MissingPackageError, TokenError
from spiritlm_cli.jobs.inspect import InspectOptions, run
from spiritlm_cli.jobs.run import Summary

LINE = "[SPEECH][St1][Pi1][Hu1][Pi2][Hu2][Pi3][Hu3]"


@pytest.fixture
def lines(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text(f"a/b\t{LINE}\nc\t[TEXT]the cat[SPEECH][Pi1][Hu1]\n")
    return str(path)


def test_the_table_is_shown_if_nothing_else_is(small, lines, capsys):
    assert run(InspectOptions(**small, inputs=(lines,))) == Summary(2)
    assert LINE in capsys.readouterr().out.splitlines()


def test_views_together(small, lines, tmp_path, capsys):
    options = InspectOptions(
        **small,
        inputs=(lines,),
        as_json=True,
        html=tmp_path / "page.html",
        textgrid=f"{tmp_path}/grids/",
        plot=f"{tmp_path}/plots/",
    )
    assert run(options) == Summary(2)
    assert [json.loads(row)["id"] for row in capsys.readouterr().out.splitlines()] == ["a/b", "c"]
    assert {path.name for path in (tmp_path / "grids").iterdir()} == {"a%2Fb.TextGrid", "c.TextGrid"}
    assert {path.name for path in (tmp_path / "plots").iterdir()} == {"a%2Fb.png", "c.png"}
    assert "a/b" in (tmp_path / "page.html").read_text()


def test_a_file_takes_one_input(small, lines, tmp_path):
    path = tmp_path / "out.TextGrid"
    with pytest.raises(TokenError, match=r"already written for another input; .* --textgrid FOLDER/"):
        run(InspectOptions(**small, inputs=(lines,), textgrid=str(path)))


def test_a_file_goes_to_the_next_input_if_the_first_cannot_be_written(small, tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text(f"a\t[TEXT]no speech\nb\t{LINE}\n")
    grid = tmp_path / "out.TextGrid"
    assert run(InspectOptions(**small, inputs=(str(path),), textgrid=str(grid), on_error="skip")) == Summary(
        2, 1
    )
    assert grid.exists()


def test_a_plot_without_matplotlib_ends_the_run(small, lines, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    options = InspectOptions(**small, inputs=(lines,), plot=f"{tmp_path}/plots/", on_error="skip")
    with pytest.raises(MissingPackageError, match=r"pip install 'spiritlm\[plot\]'"):
        run(options)
    assert not (tmp_path / "plots").exists()


def test_statistics(small, lines, tmp_path, capsys):
    assert run(InspectOptions(**small, inputs=(lines,), stats=True)) == Summary(2)
    assert "Hu" in capsys.readouterr().out
    run(InspectOptions(**small, inputs=(lines,), stats=True, as_json=True))
    (row,) = capsys.readouterr().out.splitlines()
    assert json.loads(row)["inputs"] == 2
    run(InspectOptions(**small, inputs=(lines,), stats=True, plot=str(tmp_path / "stats.svg")))
    assert (tmp_path / "stats.svg").read_bytes().startswith(b"<?xml")


def test_textgrid_on_stdout(small, tmp_path, capsys):
    path = tmp_path / "lines.txt"
    path.write_text(f"{LINE}\n")
    run(InspectOptions(**small, inputs=(str(path),), textgrid="-"))
    assert capsys.readouterr().out.startswith('File type = "ooTextFile"')


def test_an_id_that_cannot_be_a_file_costs_its_place_only(small, tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text(f"{'x' * 300}\t{LINE}\nb\t{LINE}\n")
    folder = f"{tmp_path}/grids/"
    options = InspectOptions(**small, inputs=(str(path),), textgrid=folder, on_error="skip")
    assert run(options) == Summary(2, 1)
    assert [path.name for path in (tmp_path / "grids").iterdir()] == ["b.TextGrid"]


def test_a_full_disk_names_the_page(small, lines):
    with pytest.raises(OSError, match="/dev/full"):
        run(InspectOptions(**small, inputs=(lines,), html=Path("/dev/full")))
