import numpy as np
import pytest

from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.training.crops import CropSampler, draw_batch
from spiritlm_cli.training.data import HOP, Recording


def recording(name: str, frames: int) -> Recording:
    """A recording in which all samples of frame i are i."""
    return Recording(Clip(name, "-"), np.arange(frames, dtype=np.int16).repeat(HOP))


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
