import pytest

from spiritlm_cli.errors import AudioError, OptionError
from spiritlm_cli.jobs.options import InspectUnitOptions


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"unit": "x"}, "units are written 'Hu28'"),
        ({"unit": "Hu1 Pi1"}, "one stream"),
        ({"seed": 1}, "for --limit"),
        ({"errors": "out.wav"}, "name of an audio file"),
    ],
)
def test_check_refuses(lines, options, reason):
    with pytest.raises(OptionError, match=reason):
        InspectUnitOptions(**{"unit": "Hu1", "inputs": (lines,)} | options).check()


def test_check_of_the_output(lines, tmp_path):
    for name, reason in (("out.txt", "out.txt"), ("gone/out.wav", "no folder")):
        with pytest.raises(AudioError, match=reason):
            InspectUnitOptions(unit="Hu1", inputs=(lines,), output=str(tmp_path / name)).check()
    with pytest.raises(OptionError, match="write to another file"):
        InspectUnitOptions(unit="Hu1", inputs=(lines,), output=lines).check()


def test_check_names_what_is_not_there():
    with pytest.raises(AudioError, match="no such file"):
        InspectUnitOptions(unit="Hu1", inputs=("gone.wav",)).check()
    for inputs in ((), ("-",)):
        with pytest.raises(FileNotFoundError):
            InspectUnitOptions(unit="Hu1", inputs=inputs, manifest="gone.tsv").check()


def test_what_is_searched(lines):
    options = InspectUnitOptions(unit="Hu1", manifest="clips.tsv")
    assert (options.searched, options.audio_of_lines) == (options, None)
    options = InspectUnitOptions(unit="Hu1", inputs=(lines,), manifest="clips.tsv")
    assert (options.searched.inputs, options.searched.manifest) == ((lines,), None)
    assert options.audio_of_lines == "clips.tsv"
