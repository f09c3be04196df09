from pathlib import Path

import pytest

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.clip import BadClip, Clip
from spiritlm_cli.manifests.transcripts import attach_text, has_token_lines


def texts(*clips: Clip | BadClip, text: str | None = None) -> list[str | None]:
    result = list(attach_text(clips, text))
    assert [clip.id for clip in result] == [clip.id for clip in clips]
    return [clip.text if isinstance(clip, Clip) else str(clip.error) for clip in result]


def test_attach_text_reads_files_beside_the_audio(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbf The  cat\nsat. \r\n")
    (tmp_path / "b.lab").write_text("the dog")
    clips = [Clip(name, tmp_path / f"{name}.wav") for name in "abc"]
    assert texts(*clips) == ["The  cat\nsat.", "the dog", None]


def test_attach_text_keeps_known_texts(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("from the file")
    bad = BadClip("bad", "clips.tsv", ManifestError("line 3: no audio"))
    clips = Clip("a", tmp_path / "a.wav", text="its own"), Clip("stdin", "-"), bad
    assert texts(*clips) == ["its own", None, "line 3: no audio"]


def test_attach_text_with_a_given_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("from the file")
    assert texts(Clip("a", tmp_path / "a.wav"), Clip("stdin", "-"), text="said") == ["said", "said"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"the c\xe4t", "line 1: not UTF-8"), (b"one\ntw\xf6", "line 2: not UTF-8"), (b"a\0b", "NUL")],
)
def test_files_that_are_not_text(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    (result,) = texts(Clip("a", tmp_path / "a.wav"))
    assert result is not None
    assert result.startswith(f"{tmp_path / 'a.txt'}: ")
    assert reason in result
    (tmp_path / "a.txt").unlink()
    (tmp_path / "a.txt").mkdir()
    (result,) = texts(Clip("a", tmp_path / "a.wav"))
    assert result is not None
    assert "is a folder" in result


@pytest.mark.parametrize(
    "content", ["[SPEECH][Hu1]\n", "a\t[TEXT]the cat\n", "#spiritlm 1 model=nano tokenizer=0\n"]
)
def test_token_lines_are_no_transcript(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.txt").write_text(content)
    assert texts(Clip("a", tmp_path / "a.wav")) == [None]
    assert "a.txt: has token lines, and is not taken for the transcript of a.wav" in caplog.text
    (tmp_path / "a.lab").write_text("the cat")
    assert texts(Clip("a", tmp_path / "a.wav")) == ["the cat"]


def test_has_token_lines(tmp_path: Path) -> None:
    for content, expected in (("#spiritlm 1\n", True), ("a\t[TEXT]x", True), ("hello", False), ("", False)):
        (tmp_path / "a").write_text(content)
        assert has_token_lines(tmp_path / "a") == expected
