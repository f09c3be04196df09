import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spiritlm_cli.errors import ManifestError, TokenError
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.training.data import (
    HOP,
    CropSampler,
    Recording,
    UnitsFile,
    draw_batch,
    load_recordings,
    read_labels,
    read_units,
    write_labels,
)


def recording(name: str, frames: int) -> Recording:
    """A recording in which all samples of frame i are i."""
    return Recording(Clip(name, "-"), np.arange(frames, dtype=np.int16).repeat(HOP))


def test_load_recordings_warns_of_clips_that_are_too_short(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, samples in (("a", 16000), ("b", 7999), ("c", 8000)):
        soundfile.write(tmp_path / f"{name}.wav", np.zeros(samples), 16000)
    manifest = tmp_path / "clips.tsv"
    manifest.write_text("audio\na.wav\nb.wav\nc.wav\n")
    assert [recording.clip.id for recording in load_recordings(manifest)] == ["a", "c"]
    assert caplog.messages == [f"{manifest}: 1 clips of under 0.5 s are left out, the first is b"]


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


def test_crop_sampler_mixes_recordings_longer_than_a_crop() -> None:
    longer = [recording(f"long{i}", 50 + i) for i in range(40)]
    shorter = [recording(f"short{i}", 10) for i in range(40)]
    sampler = CropSampler([*longer, *shorter], seconds=1.0, weights={f"long{i}": 20.0 for i in range(4)})
    assert [r.clip.id[:5] for r in sampler.recordings[:40]] == ["short"] * 40
    drawn = [sampler.draw(2, np.random.default_rng(seed)) for seed in range(400)]
    assert all(len({r.clip.id for r in batch}) == 2 for batch in drawn)
    counts = np.bincount([int(r.clip.id[4:]) for batch in drawn for r in batch if r.clip.id[:4] == "long"])
    assert counts[:4].min() > counts[4:].mean()
    assert counts[4:].sum() > 0


def test_crop_sampler_draws_each_recording_in_proportion_to_its_weight() -> None:
    """In order of length, those at both ends are drawn as often as those in the middle."""
    weights = {f"r{i}": 3.0 for i in range(0, 60, 2)}
    sampler = CropSampler([recording(f"r{i}", 10 + i) for i in range(60)], 4.0, weights)
    rng = np.random.default_rng(0)
    counts = np.zeros(60)
    for _ in range(4000):
        for drawn in sampler.draw(3, rng):
            counts[int(drawn.clip.id[1:])] += 1
    heavy, light = counts[::2], counts[1::2]
    assert heavy.min() > 0.8 * heavy.mean()
    assert light.min() > 0.6 * light.mean()
    assert heavy.sum() / light.sum() == pytest.approx(3, rel=0.15)


def test_draw_batch_reaches_both_ends_of_a_recording() -> None:
    sampler = CropSampler([recording("a", 26)], 1.0)
    starts = {
        int(draw_batch(sampler, {"a": np.arange(26)}, 1, 1.0, np.random.default_rng(seed)).labels[0, 0])
        for seed in range(20)
    }
    assert starts == {0, 1}


@pytest.mark.parametrize("stretch", [0.0, 0.15])
def test_draw_batch_keeps_labels_with_their_audio(stretch: float) -> None:
    recordings = [recording(f"r{i}", 60 + i) for i in range(4)]
    labels = {r.clip.id: np.arange(r.frames) for r in recordings[:3]}
    batch = draw_batch(
        CropSampler(recordings, 1.0), labels, 4, 1.0, np.random.default_rng(1), stretch=stretch
    )
    assert batch.waveform.shape == (4, 25 * HOP)
    middles = (batch.waveform[:, HOP // 2 :: HOP] * 32767).round().long()
    known = (batch.labels >= 0).all(1)
    assert known.sum() == 3
    assert ((middles - batch.labels)[known].abs() <= (1 if stretch else 0)).all()


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
