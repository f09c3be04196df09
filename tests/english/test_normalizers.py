import sys
from typing import cast

import pytest

from spiritlm_cli.english.normalize import normalize
from spiritlm_cli.english.normalizers import NormalizerName, describe_normalizer, load_normalizer
from spiritlm_cli.errors import ManifestError, MissingPackageError


def test_spoken_is_normalize() -> None:
    assert load_normalizer("spoken") is normalize
    assert describe_normalizer("spoken") == "spoken"


def test_whisper() -> None:
    pytest.importorskip("whisper_normalizer")
    whisper = load_normalizer("whisper")
    for text, expected in {
        "FIVE HUNDRED AND ONE MEN": "501 men",
        "five hundred one man": "501 man",
        "won't, can't and the COLOUR [laughs]": "will not can not and the color",
        "twenty two hundred and five": "2205",
        "O'Neil's": "0 neil is",
        "the two of them": "the 2 of them",
        "uh, one  moment": "one moment",
        "$1.0.0": "one.0.0",
        "<um>": "",
    }.items():
        assert whisper(text) == expected
    assert describe_normalizer("whisper").startswith("whisper (whisper-normalizer 0.")
    with pytest.raises(ManifestError, match="thousands of digits"):
        whisper("1" * 5000)


def test_without_whisper_normalizer(monkeypatch: pytest.MonkeyPatch) -> None:
    load_normalizer.cache_clear()
    monkeypatch.setitem(sys.modules, "whisper_normalizer.english", None)
    with pytest.raises(MissingPackageError, match=r"whisper.*pip install 'spiritlm\[evaluate\]'"):
        load_normalizer("whisper")
    with pytest.raises(ValueError, match="whisper and spoken, not 'other'"):
        load_normalizer(cast(NormalizerName, "other"))
