from pathlib import Path

import numpy as np
import pytest
import torch
from training_fixtures import assert_same_weights, hubert_options, interrupted

from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.errors import CheckpointError, SpiritLMError
from spiritlm_cli.speech.hubert import Hubert
from spiritlm_cli.training import hubert
from spiritlm_cli.training.hubert import Pretraining, spans


def test_train_resume_is_bit_identical(corpus: Path, tmp_path: Path) -> None:
    hubert.train(hubert_options(corpus, tmp_path / "whole", steps=4))
    with interrupted(3):
        hubert.train(hubert_options(corpus, tmp_path / "parts", steps=4, save_every=2))
    hubert.train(hubert_options(corpus, tmp_path / "parts", steps=4, resume=True))
    assert_same_weights(*(Checkpoint(tmp_path / name, "").hubert for name in ("whole", "parts")))


def test_train_refuses_to_resume_another_run(corpus: Path, tmp_path: Path) -> None:
    hubert.train(hubert_options(corpus, tmp_path, steps=1))
    with pytest.raises(CheckpointError, match=r"hubert\.json: started with --dim 32, not 64; give the same"):
        hubert.train(hubert_options(corpus, tmp_path, steps=2, dim=64, resume=True))
    fewer = tmp_path / "fewer.txt"
    fewer.write_text("0\t[SPEECH][Hu1][Hu2]\n")
    with pytest.raises(CheckpointError, match=r"hubert\.json: started with another --labels; give the same"):
        hubert.train(hubert_options(corpus, tmp_path, steps=2, labels=fewer, resume=True))
    (tmp_path / "training" / "hubert.json").unlink()
    with pytest.raises(CheckpointError, match=r"hubert\.pt: doesn't fit the model that these data"):
        hubert.train(hubert_options(corpus, tmp_path, steps=2, labels=fewer, resume=True))
    state = tmp_path / "training" / "hubert.pt"
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"hubert\.pt: cut off"):
        hubert.train(hubert_options(corpus, tmp_path, steps=2, resume=True))


def test_train_replaces_another_run_only_with_overwrite(corpus: Path, tmp_path: Path) -> None:
    hubert.train(hubert_options(corpus, tmp_path, steps=1))
    weights = Checkpoint(tmp_path, "").hubert
    before = weights.read_bytes()
    with pytest.raises(
        CheckpointError, match=r"hubert\.pt: there is already a hubert .* --resume .* --overwrite"
    ):
        hubert.train(hubert_options(corpus, tmp_path, steps=1, seed=1))
    (tmp_path / "training" / "hubert.pt").unlink()
    with pytest.raises(CheckpointError, match=r"mhubert_base_25hz\.safetensors: there is already a hubert"):
        hubert.train(hubert_options(corpus, tmp_path, steps=1, seed=1))
    assert weights.read_bytes() == before
    hubert.train(hubert_options(corpus, tmp_path, steps=1, seed=1, overwrite=True))
    assert weights.read_bytes() != before


def test_train_continues_from_start_weights(corpus: Path, tmp_path: Path) -> None:
    hubert.train(hubert_options(corpus, tmp_path / "first", steps=1))
    start = Checkpoint(tmp_path / "first", "").hubert
    # the sizes of the weights override --dim, and a learning rate of 0 changes nothing
    hubert.train(hubert_options(corpus, tmp_path / "more", steps=1, start=start, dim=64, learning_rate=0.0))
    assert_same_weights(start, Checkpoint(tmp_path / "more", "").hubert, tolerance=1e-3)


def test_train_keeps_the_frames_of_a_hugging_face_folder(
    corpus: Path, twist_folder: Path, tmp_path: Path
) -> None:
    """The padding at both ends of a clip, in the features of training and of the weights that are written."""
    start = twist_folder / "mhubert-base-25hz" / "model.safetensors"
    first = Hubert.load(start)
    clip = torch.randn(25 * 640)
    expected = first([clip])[0]
    assert len(expected) == 25
    untrained = Pretraining.load(start, 5)
    masked = torch.zeros(1, 25, dtype=torch.bool)
    torch.testing.assert_close(untrained(clip[None], masked, 0.0)[0], untrained.classifier(expected))
    hubert.train(hubert_options(corpus, tmp_path, steps=1, start=start, learning_rate=0.0))
    trained = Hubert.load(Checkpoint(tmp_path, "").hubert)
    # the file has half precision
    torch.testing.assert_close(trained([clip])[0], expected, atol=0.02, rtol=0)


def test_train_needs_labels_or_a_teacher(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(SpiritLMError, match="--labels, or --teacher"):
        hubert.train(hubert_options(corpus, tmp_path, labels=None))


def test_train_raises_for_a_loss_that_is_not_finite(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(SpiritLMError, match="lower --learning-rate"):
        hubert.train(hubert_options(corpus, tmp_path, steps=9, learning_rate=float("inf")))


def test_pretraining_load_keeps_a_classifier_of_the_same_size(trained: Path) -> None:
    path = Checkpoint(trained, "").hubert
    units = len(Pretraining.load(path, 1000).classifier.weight)
    assert units == 1000
    tensors = torch.load(trained / "training" / "hubert.pt", weights_only=True)["parts"]["model"]
    saved = tensors["classifier.weight"]
    assert torch.allclose(Pretraining.load(path, len(saved)).classifier.weight, saved, atol=1e-3)


def test_spans_masks_the_share_in_whole_spans() -> None:
    mask = spans((200, 100), 0.25, np.random.default_rng(0)).numpy()
    # spans overlap, so slightly less than the share is masked
    assert 0.18 < mask.mean() < 0.25
    for row in mask:
        edges = np.flatnonzero(np.diff(np.r_[0, row, 0]))
        lengths = edges[1::2] - edges[::2]
        assert all(length >= 5 for length, stop in zip(lengths, edges[1::2], strict=True) if stop < 100)
