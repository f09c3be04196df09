import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spiritlm_cli.errors import ManifestError, SpiritLMError, TokenError
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.training.data import (
    Recording,
    UnitsFile,
    check_any_labels,
    check_label_counts,
    cluster,
    load_recordings,
    read_labels,
    read_units,
    with_labels,
    write_labels,
)


def test_load_recordings_warns_of_clips_that_are_too_short(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, samples in (("a", 16000), ("b", 7999), ("c", 8000)):
        soundfile.write(tmp_path / f"{name}.wav", np.zeros(samples), 16000)
    manifest = tmp_path / "clips.tsv"
    manifest.write_text("audio\na.wav\nb.wav\nc.wav\n")
    assert [recording.clip.id for recording in load_recordings(manifest, tmp_path)] == ["a", "c"]
    assert caplog.messages == [f"{manifest}: left out: 1 clip of under 0.5 s, the first is b"]


def test_read_labels_refuses_a_file_that_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text("a\t[SPEECH][Hu1][Hu1][Hu2]\nb\t[SPEECH][Hu3]\n")
    assert {clip: units.tolist() for clip, units in read_labels(path).items()} == {"a": [1, 1, 2], "b": [3]}
    whole = path.read_bytes()
    for length in range(1, len(whole)):
        path.write_bytes(whole[:length])
        if length == whole.index(b"\n") + 1:
            assert read_labels(path).keys() == {"a"}
        else:
            with pytest.raises((ManifestError, TokenError)):
                read_labels(path)


def test_with_labels_counts_the_clips_that_have_none(capsys: pytest.CaptureFixture[str]) -> None:
    recordings = [Recording(Clip(name, "-"), np.zeros(16000, dtype=np.int16)) for name in "abc"]
    labels = {"a": np.array([1, 2]), "b": np.array([], dtype=np.int64)}
    used = with_labels(recordings, labels, Path("clips.tsv"), Path("labels.txt"))
    assert [r.clip.id for r in used] == ["a"]
    assert "clips.tsv: 2 of 3 clips have no labels in labels.txt, and are left out" in capsys.readouterr().err
    with pytest.raises(ManifestError, match=r"labels\.txt: no clip of clips\.tsv has labels"):
        with_labels(recordings, {}, Path("clips.tsv"), Path("labels.txt"))


def test_check_any_labels_reads_no_audio(tmp_path: Path) -> None:
    manifest = tmp_path / "clips.tsv"
    manifest.write_text("id\taudio\na\tmissing.wav\n")
    check_any_labels({"a": np.array([1])}, manifest, Path("labels.txt"))
    with pytest.raises(ManifestError, match=r"labels\.txt: no clip of .*clips\.tsv has labels"):
        check_any_labels({"a": np.array([]), "b": np.array([1])}, manifest, Path("labels.txt"))


def test_cluster_names_the_points_and_writes_no_warning(capfd: pytest.CaptureFixture[str]) -> None:
    points = np.eye(4, dtype=np.float32)
    assert cluster(points, 2, seed=0).centroids.shape == (2, 4)
    assert capfd.readouterr() == ("", "")
    with pytest.raises(SpiritLMError, match="4 seconds can't make 5 clusters"):
        cluster(points, 5, seed=0, what="second")


def test_check_label_counts_names_a_clip_with_merged_runs() -> None:
    def check(counts: dict[str, int], seconds: float = 2, rate: int = 25) -> None:
        samples = np.zeros(int(16000 * seconds), dtype=np.int16)
        recordings = [Recording(Clip(name, "-"), samples) for name in counts]
        labels = {name: np.zeros(count, dtype=np.int64) for name, count in counts.items()}
        check_label_counts(recordings, labels, rate, Path("labels.txt"))

    check({"a": 50, "b": 49, "c": 51})
    check({"a": 99}, rate=50)
    # a convolution without padding leaves out a frame of each window of 100 s
    check({"a": 6247}, seconds=250)
    with pytest.raises(
        ManifestError, match=r"the clip b has 31 labels, and 50 frames at 25 Hz; 2 clips .*--keep-r"
    ):
        check({"a": 50, "b": 31, "c": 60})
    with pytest.raises(ManifestError, match=r"the clip a has 50 labels, and 100 frames at 50 Hz\. "):
        check({"a": 50}, rate=50)


def test_write_labels_is_read_back(tmp_path: Path) -> None:
    labels = {"a": np.array([1, 1, 2]), "b": np.array([3])}
    write_labels(tmp_path / "labels.txt", labels)
    read = read_labels(tmp_path / "labels.txt")
    assert {clip: units.tolist() for clip, units in read.items()} == {"a": [1, 1, 2], "b": [3]}


def test_read_labels_needs_ids(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text("[SPEECH][Hu1]\n")
    with pytest.raises(ManifestError, match="no id"):
        read_labels(path)


def test_read_units_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "units.jsonl"
    path.write_text('{"id": "a", "hubert": "1 2", "pitch": "3", "style": null}\n{"id": "b", "hubert": 5}\n')
    with pytest.raises(ManifestError, match=r"units\.jsonl: line 2: not a line of units"):
        read_units(path)


@pytest.mark.parametrize(
    "row",
    [b'{"id": "a", "hubert": "1 x"}', b'{"id": "a", "hubert": "-1"}', b'{"id": "a", "hubert": "%s"}' % (b"9" * 19),
     b'{"id": "a"}', b'{"hubert": "1"}', b"[" * 100_000, b"\xff", b'{"id": "a", "hubert": 1}'],
)  # fmt: skip
def test_read_units_refuses_invalid_rows(tmp_path: Path, row: bytes) -> None:
    path = tmp_path / "units.jsonl"
    path.write_bytes(row + b"\n")
    with pytest.raises(ManifestError, match=r"units\.jsonl: line 1: not "):
        read_units(path)


def test_units_and_labels_of_a_clip_are_one_line(tmp_path: Path) -> None:
    units, labels = tmp_path / "units.jsonl", tmp_path / "labels.txt"
    units.write_text('{"id": "a", "hubert": "1"}\n{"id": "b", "hubert": "1"}\n{"id": "a", "hubert": "2"}\n')
    for read in (read_units, UnitsFile):
        with pytest.raises(ManifestError, match=r"units\.jsonl: line 3: a second line of the clip a"):
            read(units)
    labels.write_text("a\t[SPEECH][Hu1]\na\t[SPEECH][Hu2]\n")
    with pytest.raises(ManifestError, match=r"labels\.txt: has two lines of the clip a"):
        read_labels(labels)


def test_units_file_reads_units_when_they_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "units.jsonl"
    entries = [
        {"id": "a", "hubert": "1 2", "pitch": "3"},
        {"id": "b", "hubert": ""},
        {"id": "ç", "hubert": "4"},
    ]
    path.write_text(
        "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries), encoding="utf-8"
    )
    with UnitsFile(path) as units:
        assert [name in units for name in ("a", "b", "ç", "d")] == [True, False, True, False]
        assert units["ç"].hubert.tolist() == [4]
        assert (units["a"].hubert.tolist(), units["a"].pitch.tolist()) == ([1, 2], [3])
    path.write_bytes(b'{"id": "a", "hubert": "1"}\n{"id": "\xff"}\n')
    with pytest.raises(ManifestError, match="line 2"):
        UnitsFile(path)
    with pytest.raises(ManifestError, match="is gzipped"):
        UnitsFile(tmp_path / "units.jsonl.gz")
