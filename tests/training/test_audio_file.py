from pathlib import Path

import numpy as np
import pytest
import soundfile

from spiritlm_cli.errors import AudioError
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.training.audio_file import map_audio, read_clips, to_float


def write_clips(folder: Path, *lengths: int) -> list[Clip]:
    """Clips of random samples, and one that is the second half of the first file."""
    rng = np.random.default_rng(0)
    clips = []
    for index, length in enumerate(lengths):
        path = folder / f"{index}.wav"
        soundfile.write(path, rng.uniform(-1, 1, length).astype(np.float32), 16000, subtype="FLOAT")
        clips.append(Clip(str(index), path))
    return [*clips, Clip("half", folder / "0.wav", start=lengths[0] / 32000)]


def test_map_audio_has_the_samples_of_each_clip(tmp_path: Path) -> None:
    clips = write_clips(tmp_path, 1000, 1, 501)
    mapped = map_audio(clips, tmp_path / "training")
    assert [len(samples) for samples in mapped] == [1000, 1, 501, 500]
    for (_, waveform), samples in zip(read_clips(clips, "clips"), mapped, strict=True):
        assert np.array_equal(samples, np.round(waveform.samples * 32767).astype(np.int16))
        assert not samples.flags.writeable
    assert isinstance(mapped[0], np.memmap)


def test_map_audio_clips_samples_beyond_full_scale(tmp_path: Path) -> None:
    path = tmp_path / "loud.wav"
    soundfile.write(path, np.array([1.5, -1.5, 0.5], dtype=np.float32), 16000, subtype="FLOAT")
    (samples,) = map_audio([Clip("loud", path)], tmp_path / "training")
    assert samples.tolist() == [32767, -32767, 16384]
    assert np.allclose(to_float(samples), [1, -1, 0.5], atol=1e-4)


def test_map_audio_reads_the_file_again_until_audio_changes(tmp_path: Path) -> None:
    clips = write_clips(tmp_path, 1000, 800)
    folder = tmp_path / "training"
    first = map_audio(clips, folder)
    written = [(file, file.stat().st_mtime_ns, file.stat().st_ino) for file in folder.iterdir()]
    second = map_audio(clips, folder)
    assert [(file, file.stat().st_mtime_ns, file.stat().st_ino) for file in folder.iterdir()] == written
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    soundfile.write(tmp_path / "1.wav", np.zeros(800), 16000)
    assert not map_audio(clips, folder)[1].any()
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: b"", lambda data: data[2:]])
def test_map_audio_writes_a_damaged_file_anew(tmp_path: Path, change) -> None:  # type: ignore[no-untyped-def]
    clips = write_clips(tmp_path, 1000, 800)
    folder = tmp_path / "training"
    first = [samples.tolist() for samples in map_audio(clips, folder)]
    (file,) = folder.iterdir()
    file.write_bytes(change(file.read_bytes()))
    assert [samples.tolist() for samples in map_audio(clips, folder)] == first


def test_map_audio_leaves_no_file_if_a_clip_cannot_be_read(tmp_path: Path) -> None:
    clips = [*write_clips(tmp_path, 1000), Clip("none", tmp_path / "none.wav")]
    with pytest.raises(AudioError, match=r"none\.wav"):
        map_audio(clips, tmp_path / "training")
    assert list((tmp_path / "training").iterdir()) == []


def test_read_clips_names_the_clip(tmp_path: Path) -> None:
    good = write_clips(tmp_path, 1000)
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"RIFF")
    with pytest.raises(AudioError, match=r"^the clip b: .*bad\.wav: "):
        list(read_clips([*good, Clip("b", bad)], "clips"))
    missing = [Clip("c", tmp_path / "c.wav"), Clip("d", tmp_path / "d.wav")]
    # before any is read
    with pytest.raises(
        AudioError, match=r"^the clip c: .*c\.wav: no such file; so are those of 1 more clip$"
    ):
        read_clips([Clip("b", bad), *missing], "clips")
