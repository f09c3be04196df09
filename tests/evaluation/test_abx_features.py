from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spiritlm_cli.batching import Outcome
from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.errors import AudioError, ManifestError
from spiritlm_cli.evaluation.abx_features import EncodedFrames, HubertFeatures, StoredFrames, token_frames
from spiritlm_cli.evaluation.abx_items import AbxToken
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.speech.hubert import Hubert


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "s/b", "s/c", "t/c"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / f"{name}.wav", np.full(8000, 0.1), 16000)
    return tmp_path


class Encoder:
    """Encodes a clip as the number of clips before it, and fails for b."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, clips: Iterable[Clip]) -> Iterator[tuple[Clip, Outcome[np.ndarray]]]:
        for clip in clips:
            self.seen.append(clip.id)
            if clip.id == "s/b":
                yield clip, Outcome.failure(AudioError("b is bad"))
            else:
                yield clip, Outcome([np.full(5, len(self.seen)), np.full(2, 0)])


def test_encoded_frames_are_computed_once(folder: Path) -> None:
    encoder = Encoder()
    source = EncodedFrames(folder, 25, encoder)
    source.load(["a", "b", "missing", "s/c"])
    source.load(["s/b", "a", "t/c"])
    assert encoder.seen == ["a", "s/b", "s/c", "t/c"]
    assert source.frames("a").tolist() == [1] * 5 + [0] * 2
    for name in ("b", "s/b"):
        with pytest.raises(AudioError, match="b is bad"):
            source.frames(name)
    with pytest.raises(ManifestError, match="no file of the name 'missing'"):
        source.frames("missing")
    with pytest.raises(ManifestError, match="several files have the name 'c'"):
        source.frames("c")


def test_folders_without_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="no sound files"):
        EncodedFrames(tmp_path, 25, Encoder())
    with pytest.raises(ManifestError, match=r"no \.npy files"):
        StoredFrames(tmp_path, 25)


def test_stored_frames(tmp_path: Path) -> None:
    vectors = np.arange(20, dtype=np.float32).reshape(10, 2)
    (tmp_path / "s").mkdir()
    np.save(tmp_path / "s" / "a.npy", vectors)
    np.save(tmp_path / "u.npy", np.array([1, 1, 2]))
    source = StoredFrames(tmp_path, 50)
    assert np.array_equal(source.frames("a"), vectors)
    assert np.array_equal(source.frames("s/a"), vectors)
    assert source.frames("u").tolist() == [1, 1, 2]
    token = AbxToken("a", 0.01, 0.09, "P", ("L", "R"), "s")
    assert np.array_equal(token_frames(source, token, "libri-light"), vectors[0:4])
    assert np.array_equal(token_frames(source, token, "fastabx"), vectors[0:5])


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 3, 4)), r"shape \(2, 3, 4\)"),
        (np.zeros(3), r"float64 of shape \(3,\)"),
        (np.array([{}], dtype=object), "not a .npy file of numbers"),
        (np.full((9, 2), np.nan), "infinite or not a number"),
    ],
)
def test_stored_frames_refuse_what_is_no_features(tmp_path: Path, array: np.ndarray, message: str) -> None:
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(ManifestError, match=message):
        token_frames(StoredFrames(tmp_path, 25), AbxToken("a", 0, 0.2, "P", ("L", "R"), "s"), "libri-light")
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(ManifestError, match="not a"):
        StoredFrames(tmp_path, 25).frames("a")


def test_hubert_features_do_not_depend_on_the_batch(release_tree: Path, recording_file: Path) -> None:
    hubert = Hubert.load(find_checkpoint(str(release_tree)).hubert, 1)
    clips = [Clip(str(end), recording_file, start=0.5, end=end) for end in (1.0, 1.7, 2.0)]
    alone, together = (
        [np.concatenate(list(outcome)) for _, outcome in HubertFeatures(hubert, seconds)(clips)]
        for seconds in (0.1, 100)
    )
    assert HubertFeatures(hubert).rate == 25
    for one, other in zip(alone, together, strict=True):
        assert one.shape[1] == hubert.config.encoder_embed_dim
        assert np.array_equal(one, other)
