import pytest

from spiritlm_cli.errors import AudioError, OptionError
from spiritlm_cli.jobs.options import InspectDiffOptions


@pytest.mark.parametrize(
    ("inputs", "options", "reason"),
    [
        (0, {}, "give two files"),
        (3, {}, "two inputs, not 3"),
        (1, {}, "a second file, or --against"),
        (1, {"against_dtype": "float32"}, "a second file, or --against"),
        (2, {"manifest": "clips.tsv"}, "two inputs, not 3"),
        (0, {"manifest": "clips.tsv"}, "a second file, or --against"),
        (2, {"items": "out.wav"}, "name of an audio file"),
    ],
)
def test_check_refuses_what_cannot_be_combined(lines, inputs, options, reason):
    with pytest.raises(OptionError, match=reason):
        InspectDiffOptions(inputs=(lines,) * inputs, **options).check()


def test_check_refuses_stdin_twice(lines):
    for options in (
        {"inputs": ("-", "-")},
        {"inputs": ("-",), "against": "x"},
        {"manifest": "-", "against": "x"},
    ):
        with pytest.raises(OptionError, match="read once only"):
            InspectDiffOptions(**options).check()
    InspectDiffOptions(inputs=("-", lines)).check()


def test_check_names_what_is_not_there(lines):
    with pytest.raises(AudioError, match="no such file"):
        InspectDiffOptions(inputs=(lines, "gone.wav")).check()
    with pytest.raises(FileNotFoundError):
        InspectDiffOptions(manifest="gone.tsv", against="x").check()


def test_check_refuses_an_output_that_is_an_input(lines):
    with pytest.raises(OptionError, match="write to another file"):
        InspectDiffOptions(inputs=(lines, lines), items=lines).check()


def test_sides():
    options = InspectDiffOptions(
        inputs=("a", "b"), model="m", device="cpu", against="n", against_channel=1, against_f0="pyaapt"
    )
    a, b = options.side_a, options.side_b
    assert (a.inputs, a.model, a.channel, a.f0, a.dtype, a.device) == (
        ("a",),
        "m",
        "mix",
        "fcpe",
        "float32",
        "cpu",
    )
    assert (b.inputs, b.model, b.channel, b.f0, b.dtype, b.device) == (
        ("b",),
        "n",
        1,
        "pyaapt",
        "float32",
        "cpu",
    )
    one = InspectDiffOptions(manifest="clips.tsv", against_dtype="bfloat16")
    assert (one.side_a.manifest, one.side_b.manifest, one.side_b.dtype) == (
        "clips.tsv",
        "clips.tsv",
        "bfloat16",
    )


def test_sides_of_a_file_and_a_manifest():
    options = InspectDiffOptions(inputs=("a",), manifest="clips.tsv")
    a, b = options.side_a, options.side_b
    assert (a.inputs, a.manifest, b.inputs, b.manifest) == (("a",), None, (), "clips.tsv")
