import pytest

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.tokenize import TokenizeOptions


def test_check_refuses_what_cannot_be_combined() -> None:
    for options, flag in (
        (TokenizeOptions(), "AUDIO"),
        (TokenizeOptions(audio=("a.wav",), manifest="b.tsv"), "AUDIO"),
        (TokenizeOptions(audio=("a.wav",), format="jsonl", header=True), "--header"),
        (TokenizeOptions(audio=("a.wav",), ray="local", stream=True), "--ray"),
        (TokenizeOptions(audio=("a.wav",), resume=True), "--resume"),
    ):
        with pytest.raises(OptionError) as raised:
            options.check()
        assert raised.value.option == flag
