from pathlib import Path

import numpy as np
import pytest
import torch
from training_fixtures import style_options

from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.speech.f0 import F0Track
from spiritlm_cli.speech.style import StyleEncoder
from spiritlm_cli.training import style
from spiritlm_cli.training.data import Recording, load_recordings
from spiritlm_cli.training.style import cluster_sizes, held_out_accuracy, prosody, style_labels


def tone(name: str, f0: np.ndarray, gain: float = 0.3) -> tuple[Recording, F0Track]:
    """A sine whose F0 is `f0` Hz at 200 Hz, all voiced."""
    frequency = f0.repeat(80)
    samples = gain * np.sin(2 * np.pi * np.cumsum(frequency) / 16000)
    recording = Recording(Clip(name, "-"), np.round(samples * 32767).astype(np.int16))
    return recording, F0Track(f0.astype(np.float32), np.ones(len(f0), dtype=bool))


def test_prosody_of_a_constant_tone() -> None:
    features = prosody(*tone("a", np.full(500, 200.0)))
    assert features.shape == (3, 9)
    mean, deviation, slope, voiced, level = features[:, :5].T
    assert np.abs([mean, deviation, slope]).max() < 1e-4
    assert voiced.tolist() == pytest.approx([1, 1, 0.5])
    assert np.abs(level).max() < 0.5
    assert (features[:, 7] < -20).all(), "no energy above 2 kHz"


def test_prosody_is_in_semitones_relative_to_the_clip() -> None:
    # an octave up within two seconds
    features = prosody(*tone("a", 150 * 2 ** np.linspace(0, 1, 400)))
    assert features[:, 0].tolist() == pytest.approx([-3, 3], abs=0.1)
    assert features[:, 2].tolist() == pytest.approx([3, 3], abs=0.1)


def test_style_labels_separate_different_prosody() -> None:
    flat, rising = np.full(200, 150.0), 150 * 2 ** np.linspace(0, 1, 200)
    pairs = [tone(f"{i}", np.concatenate([flat, rising] if i % 2 else [rising, flat])) for i in range(8)]
    tracks = {recording.clip.id: track for recording, track in pairs}
    labels = style_labels([recording for recording, _ in pairs], tracks, 2, seed=0)
    assert all(len(ids) == 2 for ids in labels.values())
    assert len({ids[i % 2] for i, ids in enumerate(labels.values())}) == 1
    assert len({int(unit) for ids in labels.values() for unit in ids}) == 2


def test_train_needs_as_many_seconds_as_styles(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(SpiritLMError, match="8 seconds can't make 100 clusters"):
        style.train(style_options(corpus, tmp_path, styles=100))


def test_cluster_sizes_are_seconds() -> None:
    styles = {"a": np.array([0, 0, 2]), "b": np.array([2, 2])}
    assert cluster_sizes(styles, 4) == (
        "4 styles of 5 seconds; the smallest has 0, the median 1, the largest 3; the most frequent style is right for "
        "60.0 %"
    )


def test_held_out_accuracy_counts_seconds(trained: Path, corpus: Path, tmp_path: Path) -> None:
    model = StyleEncoder.load(Checkpoint(trained, "").style)
    recordings = load_recordings(corpus / "clips.jsonl", tmp_path)[:2]
    predicted = {
        r.clip.id: model.logits([torch.from_numpy(r.waveform.samples)])[0].argmax(-1).numpy()
        for r in recordings
    }
    assert held_out_accuracy(model, recordings, predicted) == (4, 4)
    predicted[recordings[0].clip.id] = predicted[recordings[0].clip.id] + 1
    assert held_out_accuracy(model, recordings, predicted) == (2, 4)
