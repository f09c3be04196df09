import pytest

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.decode import DecodeOptions


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        ({"output": "x.wav", "resume": True}, "--resume"),
        ({"output": "x.wav", "ray": "local"}, "--ray"),
        ({"output": "x/", "bits": "float", "format": "flac"}, "--bits"),
    ],
)
def test_check_refuses_what_cannot_be_combined(options: dict[str, object], flag: str) -> None:
    with pytest.raises(OptionError) as raised:
        DecodeOptions(**options).check()  # type: ignore[arg-type]
    assert raised.value.option == flag
