"""Units of the clips of items."""

from itertools import chain
from pathlib import Path

import pytest

from spiritlm_cli.errors import AudioError
from spiritlm_cli.evaluation import clip_units
from spiritlm_cli.evaluation.clip_units import encode_clips
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.timeline import merge_streams


@pytest.fixture(scope="module")
def tokenizer(small_release: Path) -> SpeechTokenizer:
    return SpeechTokenizer.load(str(small_release), device="cpu")


@pytest.mark.parametrize("at_once", [1, 2, 100])
def test_encode_clips_in_order(
    at_once: int, recording_file: Path, tokenizer: SpeechTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clip_units, "_ITEMS_AT_ONCE", at_once)
    first, second = (
        Clip(name, recording_file, start, start + 0.5) for name, start in (("a", 0.0), ("b", 1.0))
    )
    missing = Clip("c", Path("missing.wav"))
    items = [[second], [], [first, second], [first, missing], [first]]
    expected = {
        clip.id: merge_streams(outcome.result()) for clip, outcome in tokenizer.encode_stream([first, second])
    }
    found = list(chain.from_iterable(encode_clips(items, lambda item: item, lambda: tokenizer)))
    assert [item for item, _ in found] == items
    for item, outcome in found:
        if missing in item:
            with pytest.raises(AudioError, match=r"missing\.wav"):
                list(outcome)
        else:
            assert [merge_streams(units) for units in outcome] == [expected[clip.id] for clip in item]


def test_encode_clips_without_clips_needs_no_tokenizer() -> None:
    def load() -> SpeechTokenizer:
        raise AssertionError("there is no clip")

    (chunk,) = encode_clips([1, 2], lambda _: [], load)
    assert [(item, list(outcome)) for item, outcome in chunk] == [(1, []), (2, [])]
