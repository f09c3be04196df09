import pytest

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.decode import DecodeOptions


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        ({"output": "x.wav", "resume": True}, "--resume"),
        ({"output": "x.wav", "ray": "local"}, "--ray"),
        ({"output": "x/", "bits": "float", "format": "flac"}, "--bits"),
        ({"output": "x.flac", "bits": "float"}, "--bits"),
        ({"output": "x.ogg", "sample_rate": 200_001}, "--sample-rate"),
        ({"output": "x/", "sample_rate": 44100, "format": "opus"}, "--sample-rate"),
        ({"output": "x.mp3"}, "--output"),
        ({"output": "x"}, "--output"),
    ],
)
def test_check_refuses_what_cannot_be_combined(options: dict[str, object], flag: str) -> None:
    with pytest.raises(OptionError) as raised:
        DecodeOptions(**options).check()  # type: ignore[arg-type]
    assert raised.value.option == flag
