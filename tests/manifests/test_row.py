from pathlib import Path, PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.clip import Alignment, Clip, Word
from spiritlm_cli.manifests.row import NOT_IN_ID, clip_from_fields, default_id, parse_json_fields

WHERE = "m.jsonl: line 3"


def test_clip_from_fields() -> None:
    words = [{"word": "a", "start": "0.25", "end": 0.5, "confidence": 1}]
    fields = {
        "id": 7,
        "audio": "sub/a.wav",
        "start": "1",
        "end": 2,
        "text": "a",
        "speaker": 0,
        "words": words,
    }
    assert clip_from_fields(Path("folder"), fields, WHERE) == Clip(
        "7", Path("folder/sub/a.wav"), 1.0, 2.0, "a", "0", Alignment((Word("a", 0.25, 0.5, 1.0),))
    )


def test_clip_from_fields_defaults() -> None:
    assert clip_from_fields(Path("folder"), {"audio": "/abs/a.b.wav"}, WHERE) == Clip(
        "abs/a.b", Path("/abs/a.b.wav")
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "audio is not a path: None"),
        ({"audio": 1.5}, "audio is not text"),
        ({"audio": "a", "id": "a\nb"}, "id can't be empty or hold a tab, a line end or NUL"),
        ({"audio": "a", "start": [0]}, r"start is not a number of seconds: '\[0\]'"),
        ({"audio": "a", "end": 10**400}, "end is not a number of seconds"),
        ({"audio": "a", "end": 0}, r"end \(0\) is not after start \(0\)"),
        ({"audio": "a", "text": "a\0"}, "text holds NUL or half a surrogate pair"),
        ({"audio": "a", "words": [1]}, 'word 1 is not {"word", "start", "end"}'),
        ({"audio": "a", "words": [{"start": 0, "end": 1}]}, 'word 1 lacks "word"'),
        (
            {"audio": "a", "words": [{"word": "a", "confidence": 2}]},
            "word 1: confidence is not a number from 0 to 1: '2'",
        ),
        ({"audio": "a", "words": [{"word": "a", "confidence": True}]}, "confidence is not a number"),
    ],
)
def test_clip_from_fields_errors(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ManifestError, match=f"^{WHERE}: .*{message}"):
        clip_from_fields(Path(), fields, WHERE)


def test_parse_json_fields() -> None:
    assert parse_json_fields('{"audio": "a", "x": null}', WHERE) == {"audio": "a", "x": None}
    for text in ("", "[1]", "{", "[" * 100_000):
        with pytest.raises(ManifestError, match=f"^{WHERE}: not "):
            parse_json_fields(text, WHERE)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.wav", "a"),
        ("sub/a.b.FLAC", "sub/a.b"),
        ("a.txt", "a.txt"),
        (".wav", ".wav"),
        ("a\tb.wav", "a\N{REPLACEMENT CHARACTER}b"),
    ],
)
def test_default_id(path: str, expected: str) -> None:
    assert default_id(PurePath(path)) == expected


@given(st.text(min_size=1).filter(lambda name: "/" not in name and name not in (".", "..")))
def test_default_id_is_always_a_valid_id(name: str) -> None:
    assert not NOT_IN_ID.search(default_id(PurePath(name)))
