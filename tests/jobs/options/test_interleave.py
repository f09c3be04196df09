import pytest

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.interleave import InterleaveOptions


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        ({}, "AUDIO"),
        ({"tokens": "x.txt", "shard": (0, 2)}, "--shard"),
        ({"tokens": "x.txt", "resume": True}, "--resume"),
        ({"audio": ("a.wav",), "mode": "asr", "explain": True}, "--explain"),
        ({"audio": ("a.wav",), "resume": True}, "--resume"),
    ],
)
def test_check_refuses_what_cannot_be_combined(options: dict[str, object], flag: str) -> None:
    with pytest.raises(OptionError) as raised:
        InterleaveOptions(**options).check()  # type: ignore[arg-type]
    assert raised.value.option == flag
