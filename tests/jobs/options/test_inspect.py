import pytest

from spiritlm_cli.errors import AudioError, OptionError
from spiritlm_cli.jobs.options.inspect import InspectOptions, is_folder


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"manifest": "clips.tsv"}, "not both"),
        ({"stats": True, "html": "page.html"}, "all of them together"),
        ({"stats": True, "textgrid": "out.TextGrid"}, "all of them together"),
        ({"stats": True, "plot": "folder/"}, "is one file for --stats"),
        ({"as_json": True, "textgrid": "-"}, "stdout has the objects of --json"),
        ({"plot": "out.jpg"}, "name a .png or .svg file, or a folder/"),
        ({"html": "gone/page.html"}, r"page\.html: can't be written \(there is no folder gone\)"),
        ({"html": "out.wav"}, "the name of an audio file"),
    ],
)
def test_options_that_cannot_be_combined(lines, options, reason):
    with pytest.raises(OptionError, match=reason):
        InspectOptions(inputs=(lines,), **options).check()


def test_stdin_twice():
    with pytest.raises(OptionError, match="once"):
        InspectOptions(inputs=("-", "-")).check()


def test_an_output_that_is_an_input(lines):
    with pytest.raises(OptionError, match="write to another file"):
        InspectOptions(inputs=(lines,), html=lines).check()


def test_files_that_are_not_there():
    with pytest.raises(AudioError, match=r"gone\.wav: no such file"):
        InspectOptions(inputs=("gone.wav",)).check()
    with pytest.raises(OptionError, match="token lines come from files or stdin"):
        InspectOptions(inputs=("[SPEECH][Hu1]",)).check()
    with pytest.raises(FileNotFoundError):
        InspectOptions(manifest="gone.tsv").check()


def test_what_views_need(lines):
    assert not InspectOptions(inputs=(lines,)).sounds
    assert not InspectOptions(inputs=(lines,)).has_words
    assert InspectOptions(inputs=(lines,), html="page.html").sounds
    assert InspectOptions(inputs=(lines,), textgrid="a.TextGrid").has_words
    assert not InspectOptions(inputs=(lines,), stats=True, plot="stats.png").sounds


def test_is_folder(tmp_path):
    assert is_folder("new/")
    assert is_folder(str(tmp_path))
    assert not is_folder("new.png")
