from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlm_cli import errors
from spiritlm_cli.distributed.messages import (
    answer_from_json,
    answer_to_json,
    clip_from_json,
    clip_to_json,
)
from spiritlm_cli.errors import AudioError, ManifestError, SpiritLMError
from spiritlm_cli.manifests.clip import Alignment, BadClip, Clip, Word
from spiritlm_cli.tokens.units import Units

seconds = st.floats(0, 1e6)
# A path's bytes need not be UTF-8: Python has them as halves of surrogate pairs.
paths = st.binary(min_size=1, max_size=20).filter(lambda b: b"\0" not in b).map(
    lambda b: Path(b.decode(errors="surrogateescape"))
)  # fmt: skip
alignments = st.builds(
    Alignment, st.lists(st.builds(Word, st.text(), seconds, seconds), max_size=3).map(tuple)
)
clips = st.builds(
    Clip,
    st.text(min_size=1),
    paths.filter(lambda path: str(path) != "-"),
    st.none() | seconds,
    st.none() | seconds,
    st.none() | st.text(),
    st.none() | st.text(),
    st.none() | alignments,
)
streams = st.lists(st.integers(0, 2**31), max_size=9).map(lambda units: np.array(units, np.int64))


@given(clips)
def test_a_clip_comes_through(clip: Clip) -> None:
    assert clip_from_json(clip_to_json(clip)) == clip


@given(st.text(min_size=1), paths, st.text())
def test_a_bad_row_comes_through(id: str, source: Path, reason: str) -> None:  # noqa: A002
    found = clip_from_json(clip_to_json(BadClip(id, source, ManifestError(reason))))
    assert isinstance(found, BadClip)
    assert (found.id, found.source, type(found.error), str(found.error)) == (
        id, source, ManifestError, reason,
    )  # fmt: skip


def test_standard_input_is_an_error() -> None:
    with pytest.raises(AudioError, match="stdin is this machine's alone"):
        clip_to_json(Clip("stdin", "-"))


@given(streams, st.none() | streams, st.none() | streams)
def test_units_come_through(hubert, pitch, style) -> None:
    units = answer_from_json(answer_to_json(Units(hubert, pitch, style)))
    assert isinstance(units, Units)
    for found, expected in zip((units.hubert, units.pitch, units.style), (hubert, pitch, style), strict=True):
        assert (found is None) == (expected is None)
        if expected is not None:
            assert found.dtype == np.int64
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "kind", [kind for kind in vars(errors).values() if isinstance(kind, type)], ids=lambda kind: kind.__name__
)
def test_an_error_comes_through(kind: type[SpiritLMError]) -> None:
    message = "a\udcff.wav: not audio (“text”)"
    found = answer_from_json(answer_to_json(kind(message)))
    assert (type(found), str(found)) == (kind, message)
