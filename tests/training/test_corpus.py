import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from spiritlm_cli.errors import ManifestError, TokenError
from spiritlm_cli.training.corpus import Clips, list_files, read_sequences, read_texts, read_utterances


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_read_utterances_reports_what_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [{"word": "the", "start": 0.1, "end": 0.3}, {"word": "cat", "start": 0.3, "end": 0.7}]
    manifest = write(
        tmp_path / "clips.jsonl",
        [
            {"id": "a", "audio": "a.wav", "text": "the cat", "speaker": "x", "words": words},
            {"id": "b", "audio": "b.wav", "text": "the dog", "speaker": "x", "words": words},
            {"id": "c", "audio": "c.wav"},
            {"id": "d", "audio": "d.wav", "text": "the"},
        ],
    )
    units = write(tmp_path / "units.jsonl", [{"id": name, "hubert": "1 " * 20} for name in "abc"])
    clips = Clips.of(read_utterances(manifest, units))
    assert [utterance.id for utterance in clips.utterances] == ["a", "c"]
    assert clips.words.tolist() == [2, 0]
    of_speakers = clips.of_speakers(np.arange(2))
    assert {speaker: indices.tolist() for speaker, indices in of_speakers.items()} == {"x": [0], "": [1]}
    messages = capsys.readouterr().err
    assert "1 of 4 clips have no units" in messages
    assert "left out: b: " in messages


def test_read_utterances_needs_units(tmp_path: Path) -> None:
    manifest = write(tmp_path / "clips.jsonl", [{"id": "a", "audio": "a.wav", "text": "the cat"}])
    units = write(tmp_path / "units.jsonl", [{"id": "b", "hubert": "1"}])
    with pytest.raises(ManifestError, match="no clip has units in"):
        read_utterances(manifest, units)


@pytest.mark.parametrize("name", ["lines.txt", "lines.txt.gz"])
def test_read_files_of_lines(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_bytes = gzip.compress if name.endswith("gz") else bytes
    path.write_bytes(write_bytes(b"a\t[SPEECH][Hu1][Hu2]\n\n[TEXT]hello\n"))
    assert [len(sequence.spans) for sequence in read_sequences(path)] == [1, 1]
    path.write_bytes(write_bytes(b"one\n\ntwo three\n"))
    assert read_texts(path) == ["one", "two three"]
    path.write_bytes(write_bytes(b"\n"))
    with pytest.raises(ManifestError, match="no text"):
        read_texts(path)
    with pytest.raises(ManifestError, match="no tokens"):
        read_sequences(path)
    path.write_bytes(write_bytes(b"[SPEECH]\xff\n"))
    with pytest.raises(TokenError, match=rf"{name}: line 1, column 9: byte 0xff"):
        read_sequences(path)


def test_read_sequences_counts_lines_without_a_marker(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "lines.txt"
    path.write_text("\ufeffa\t[TEXT]a\n[Hu1]\n\n[SPOKEN][Hu1]\n[Speech][Hu1]\nb\tplain words\n")
    assert len(read_sequences(path)) == 5
    assert (
        "2 of 5 token lines begin with text and without [TEXT], the first is line 4"
        in capsys.readouterr().err
    )
    path.write_text("[TEXT]a\n[Hu1]\n")
    read_sequences(path)
    assert capsys.readouterr().err == ""


def test_list_files_takes_files_and_folders(tmp_path: Path) -> None:
    for name in ("b/2.txt", "b/c/1.txt.gz", "b/.hidden", "a.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    files = list_files([tmp_path / "a.txt", tmp_path / "b"])
    assert [file.relative_to(tmp_path).as_posix() for file in files] == ["a.txt", "b/2.txt", "b/c/1.txt.gz"]
    with pytest.raises(ManifestError, match="empty: there are no files"):
        list_files([tmp_path / "empty"])
    with pytest.raises(ManifestError, match="none: no such file or folder"):
        list_files([tmp_path / "none"])
