import gzip
from pathlib import Path

import numpy as np
import pytest

from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.clip import BadClip, Clip, FloatArray
from spiritlm_cli.manifests.manifest import count_clips, read_manifest, scan_manifest

RECORDINGS = "one a b.wav\ntwo\t/abs/b.flac\n"
SEGMENTS = "one-2 one 1.5 3\none-1\tone  0 1.25 \n\ntwo-1 two 0.5 -1\ntwo-2 two 0.5 -1.00\n"
CLIPS = [("one-2", "a b.wav", 1.5, 3.0), ("one-1", "a b.wav", 0.0, 1.25),
         ("two-1", "/abs/b.flac", 0.5, None), ("two-2", "/abs/b.flac", 0.5, None)]  # fmt: skip


def write(path: Path, content: str) -> Path:
    path.write_bytes(gzip.compress(content.encode()) if path.suffix == ".gz" else content.encode())
    return path


@pytest.mark.parametrize("recordings", ["wav.scp", "wav.scp.gz"])
@pytest.mark.parametrize("segments", ["segments", "segments.gz"])
def test_segments_beside_a_wav_scp(tmp_path: Path, recordings: str, segments: str) -> None:
    path = write(tmp_path / recordings, RECORDINGS)
    assert [clip.id for clip in read_manifest(path)] == ["one", "two"]
    assert count_clips(path) == 2
    write(tmp_path / segments, SEGMENTS)
    expected = [Clip(clip, tmp_path / audio, start, end) for clip, audio, start, end in CLIPS]
    assert list(read_manifest(path)) == expected
    assert count_clips(path) == 4


def test_segments_are_ignored_beside_another_scp(tmp_path: Path) -> None:
    write(tmp_path / "segments", SEGMENTS)
    path = write(tmp_path / "other.scp", RECORDINGS)
    assert [clip.id for clip in read_manifest(path)] == ["one", "two"]
    assert count_clips(path) == 2


def test_read_clip_of_segments(tmp_path: Path, recording_file: Path, samples: FloatArray) -> None:
    path = write(tmp_path / "wav.scp", f"one {recording_file}\n")
    write(tmp_path / "segments", "a one 1 2.5\nb one 8 -1\n")
    first, second = (read_clip(clip).samples for clip in read_manifest(path))
    assert np.array_equal(first, samples[16000:40000])
    assert np.array_equal(second, samples[128000:])


BROKEN = [
    ("a one 1\n", "a", "segments: line 1: not 'utterance recording start end'"),
    ("a one 1 2 0\n", "a", "segments: line 1: not 'utterance recording start end'"),
    ("ok one 0 1\na three 0 1\n", "a", "segments: line 2: recording 'three' is not in "),
    ("a two 0 1\n", "a", "segments: line 1: recording 'two' can't be used ("),
    ("a two 0 1\n", "a", "wav.scp: line 2: a command, which is not run"),
    ("a bare 0 1\n", "a", "wav.scp: line 3: not 'id path'"),
    ("a twice 0 1\n", "a", "wav.scp: line 5: duplicate recording 'twice'"),
    ("a one soon 1\n", "a", "segments: line 1: start is not a number of seconds: 'soon'"),
    ("a one 0 -2\n", "a", "segments: line 1: end is not a number of seconds: '-2'"),
    ("a one 2 1\n", "a", "segments: line 1: end (1) is not after start (2)"),
    ("ok one 0 1\nok one 1 2\n", "ok", "segments: line 2: duplicate id 'ok'"),
]


@pytest.mark.parametrize(("segments", "bad", "message"), BROKEN, ids=[message for *_, message in BROKEN])
def test_invalid_segment_becomes_a_bad_clip(tmp_path: Path, segments: str, bad: str, message: str) -> None:
    path = write(tmp_path / "wav.scp", "one a.wav\ntwo sph2pipe x |\nbare\ntwice a.wav\ntwice b.wav\n")
    write(tmp_path / "segments", segments + "last one 3 4\n")
    *_, row, last = scan_manifest(path)
    assert last == Clip("last", tmp_path / "a.wav", 3.0, 4.0)
    assert isinstance(row, BadClip)
    assert (row.id, row.source) == (bad, path)
    assert str(row.error).startswith(f"{tmp_path / 'segments'}: line ")
    assert message in str(row.error)
    assert count_clips(path) == len(list(scan_manifest(path)))


def test_segments_without_wav_scp(tmp_path: Path) -> None:
    write(tmp_path / "segments", SEGMENTS)
    with pytest.raises(ManifestError, match=r"wav\.scp: no such file"):
        list(scan_manifest(tmp_path / "wav.scp"))
