import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlm_cli.alignment.formats.jsonl import format_row
from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.clip import Alignment, Clip, Word
from spiritlm_cli.manifests.manifest import read_manifest


def read(folder: Path, *rows: str) -> list[Clip]:
    path = folder / "clips.jsonl"
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return list(read_manifest(path))


def test_format_row(tmp_path: Path) -> None:
    alignment = Alignment((Word("Åh", 0.1, 0.30000000000000004, 0.5), Word("–", 1.0, 1.0)))
    clip = Clip("a#1", tmp_path / "b" / "c d.wav", 0.0, 2.5, "Åh –", "7", Alignment(()))
    row = format_row(clip, alignment, tmp_path)
    assert row == (
        '{"id": "a#1", "audio": "b/c d.wav", "start": 0.0, "end": 2.5, "text": "Åh –", "speaker": "7", "words": ['
        '{"word": "Åh", "start": 0.1, "end": 0.30000000000000004, "confidence": 0.5}, '
        '{"word": "–", "start": 1.0, "end": 1.0}]}'
    )
    bare = Clip("a", tmp_path / "a.wav")
    assert format_row(bare, None, tmp_path) == '{"id": "a", "audio": "a.wav"}'
    assert read(tmp_path, row, format_row(bare, None, tmp_path)) == [replace(clip, alignment=alignment), bare]


def test_format_row_of_audio_outside_the_folder(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er" / "lists").mkdir(parents=True)
    (tmp_path / "sound").mkdir()
    (tmp_path / "lists").symlink_to(tmp_path / "deep" / "er" / "lists")
    (tmp_path / "sound" / "a.wav").write_bytes(b"sound")
    sources = [tmp_path / "sound" / "a.wav", tmp_path / "lists" / ".." / ".." / ".." / "sound" / "a.wav"]
    for folder in (tmp_path / "lists", tmp_path / "deep" / "er" / "lists"):
        for source in (*sources, Path(os.path.relpath(sources[0]))):
            (clip,) = read(folder, format_row(Clip("a", source), None, folder))
            assert Path(clip.source).read_bytes() == b"sound"
            assert '"../../../sound/a.wav"' in format_row(Clip("a", source), None, folder)


def test_format_row_of_audio_on_another_path(tmp_path: Path) -> None:
    assert '"audio": "/far/away.wav"' in format_row(Clip("a", Path("/far/away.wav")), None, tmp_path)
    (clip,) = read(tmp_path, format_row(Clip("a", Path("/far/away.wav")), None, tmp_path))
    assert clip.source == Path("/far/away.wav")


def test_format_row_of_a_path_that_is_not_utf8(tmp_path: Path) -> None:
    clip = Clip("a", tmp_path / os.fsdecode(b"caf\\\xe9.wav"))
    assert read(tmp_path, format_row(clip, None, tmp_path)) == [clip]


def test_format_row_refuses_standard_input(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="stdin: standard input can't be named in a manifest"):
        format_row(Clip("stdin", "-"), None, tmp_path)


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
words = texts.map(str.strip).filter(bool)
ids = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\t\n\r"), min_size=1)
names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1)


@st.composite
def alignments(draw: st.DrawFn) -> Alignment:
    edges = sorted(draw(st.lists(st.floats(0, 1e5), max_size=12)))
    confidences = st.none() | st.floats(0, 1)
    pairs = zip(edges[::2], edges[1::2], strict=False)
    return Alignment(tuple(Word(draw(words), start, end, draw(confidences)) for start, end in pairs))


@given(
    ids,
    names.filter(lambda name: name not in (".", "..")),
    st.none() | st.floats(0, 10),
    st.none() | st.floats(11, 20),
    st.none() | texts,
    st.none() | texts,
    st.none() | alignments(),
)
def test_read_manifest_inverts_format_row(
    tmp_path_factory: pytest.TempPathFactory,
    clip_id: str,
    name: str,
    start: float | None,
    end: float | None,
    text: str | None,
    speaker: str | None,
    alignment: Alignment | None,
) -> None:
    folder = tmp_path_factory.getbasetemp()
    clip = Clip(clip_id, folder / name, start, end, text, speaker, alignment)
    (again,) = read(folder, format_row(clip, alignment, folder))
    assert again == clip
    assert again.alignment is None or again.alignment.notes == ()
