from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spiritlm_cli import errors
from spiritlm_cli.distributed.messages import decode_clip, decode_error, encode_clip, encode_error
from spiritlm_cli.errors import AudioError, ManifestError, OptionError, SpiritLMError
from spiritlm_cli.manifests.clip import Alignment, BadClip, Clip, Word

seconds = st.floats(0, 1e6)
# The bytes of a path need not be UTF-8: Python decodes them to lone surrogates.
paths = st.binary(min_size=1, max_size=20).filter(lambda b: b"\0" not in b).map(
    lambda b: Path(b.decode(errors="surrogateescape"))
)  # fmt: skip
alignments = st.builds(
    Alignment,
    st.lists(st.builds(Word, st.text(), seconds, seconds), max_size=3).map(tuple),
    st.lists(st.text(), max_size=2).map(tuple),
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


@given(clips)
def test_clip_round_trip(clip: Clip) -> None:
    decoded = decode_clip(encode_clip(clip))
    assert decoded == clip
    # not compared with the alignment
    assert isinstance(decoded, Clip)
    assert clip.alignment is None or decoded.alignment.notes == clip.alignment.notes


@given(st.text(min_size=1), paths | st.just("-"), st.text())
@example("a", Path("-"), "")
@example("a", "-", "")
def test_bad_clip_round_trip(id: str, source: Path | str, reason: str) -> None:  # noqa: A002
    decoded = decode_clip(encode_clip(BadClip(id, source, ManifestError(reason))))
    assert isinstance(decoded, BadClip)
    assert (decoded.id, decoded.source, type(decoded.error), str(decoded.error)) == (
        id, source, ManifestError, reason,
    )  # fmt: skip


def test_standard_input_is_an_error() -> None:
    with pytest.raises(AudioError, match="can't read this machine's stdin"):
        encode_clip(Clip("stdin", "-"))


@pytest.mark.parametrize(
    "kind", [kind for kind in vars(errors).values() if isinstance(kind, type)], ids=lambda kind: kind.__name__
)
def test_error_round_trip(kind: type[SpiritLMError]) -> None:
    message = "a\udcff.wav: not audio (“text”)"
    decoded = decode_error(encode_error(kind(message)))
    assert (type(decoded), str(decoded)) == (kind, message)


def test_option_error_keeps_its_option() -> None:
    decoded = decode_error(encode_error(OptionError("is too small", "--top-p")))
    assert isinstance(decoded, OptionError)
    assert (str(decoded), decoded.option) == ("is too small", "--top-p")
