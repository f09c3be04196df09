import pytest

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.align import AlignOptions


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
