import pytest

from spiritlm_cli.errors import OptionError
from spiritlm_cli.training.mix import ALIGNED, DEFAULT, KINDS, parse_mix


def test_parse_mix() -> None:
    assert parse_mix("text=1, speech=0.5,words=0") == {"text": 1, "speech": 0.5}
    assert set(DEFAULT) <= set(KINDS)
    assert set(KINDS) >= ALIGNED


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("voice=1", "'voice' is none of text, speech"),
        ("text=1,text=2", "text twice"),
        ("text", "has 'text', which is not"),
        ("text=-1", "has 'text=-1'"),
        ("text=nan", "has 'text=nan'"),
        ("text=inf", "has 'text=inf'"),
        ("text=0,speech=0", "no share above 0"),
        ("", "'' is none of"),
    ],
)
def test_parse_mix_refuses(text: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        parse_mix(text)
