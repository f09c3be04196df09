import copy
from typing import Any

import pytest

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.lhotse import cut_fields, is_cut

CUT: dict[str, Any] = {
    "id": "cut-1",
    "start": 1.5,
    "duration": 2.0,
    "channel": 0,
    "supervisions": [
        {"id": "s1", "start": 0.0, "duration": 1.0, "text": "a b", "speaker": "bob",
         "alignment": {"word": [["a", 0.0, 0.5], ["b", 0.5, 0.5, -3.1]]}},
        {"id": "s2", "start": 1.0, "duration": 1.0, "text": "c", "speaker": "bob",
         "alignment": {"word": [["c", 1.0, 0.5]]}},
    ],
    "recording": {"id": "r", "sources": [{"type": "file", "channels": [0], "source": "sounds/a.flac"}]},
    "type": "MonoCut",
}  # fmt: skip


def changed(*path: object, value: object) -> dict[str, Any]:
    """CUT with another value at a path."""
    cut = copy.deepcopy(CUT)
    inner: Any = cut
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return cut


def test_cut_fields() -> None:
    assert is_cut(CUT)
    assert not is_cut({"audio": "a", "type": "x"})
    assert cut_fields(CUT, "m") == {
        "id": "cut-1",
        "audio": "sounds/a.flac",
        "start": 1.5,
        "duration": 2.0,
        "text": "a b c",
        "speaker": "bob",
        "words": [
            {"word": "a", "start": 0.0, "duration": 0.5},
            {"word": "b", "start": 0.5, "duration": 0.5},
            {"word": "c", "start": 1.0, "duration": 0.5},
        ],
    }


def test_cut_without_words_or_supervisions() -> None:
    assert cut_fields(changed("supervisions", 1, "alignment", value=None), "m")["words"] is None
    bare = cut_fields(changed("supervisions", value=[]), "m")
    assert (bare["text"], bare["speaker"], bare["words"]) == (None, None, None)
    assert cut_fields(changed("supervisions", 1, "speaker", value="eve"), "m")["speaker"] is None


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        (changed("type", value="MixedCut"), "a cut of type 'MixedCut', not MonoCut"),
        (changed("tracks", value=[]), "not MonoCut"),
        (changed("supervisions", value={}), "supervisions is not a list of objects"),
        (changed("supervisions", 0, "text", value=1), "the text of a supervision is not text"),
        (changed("recording", value=None), "a cut without a recording"),
        (changed("recording", "transforms", value=[{"name": "Speed"}]), "a recording with transforms"),
        (changed("recording", "sources", 0, "type", value="command"), "the recording is not one file"),
        (changed("recording", "sources", 0, "channels", value=[0, 1]), "a cut of one of 2 channels"),
        (changed("supervisions", 0, "alignment", "word", value={}), "is not a list of words"),
        (
            changed("supervisions", 0, "alignment", "word", 0, value=["a"]),
            r"is not \[word, start, duration, score\]",
        ),
    ],
)
def test_cut_fields_errors(cut: dict[str, Any], message: str) -> None:
    with pytest.raises(ManifestError, match=f"^m: .*{message}"):
        cut_fields(cut, "m")
