from pathlib import Path

import numpy as np
import pytest
import torch

from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.speech.hubert import Hubert, HubertConfig, HubertTask
from spiritlm_cli.training.hubert_model import Pretraining, halve_rate, spans

CONV_50 = "[(16, 10, 5)] + [(16, 3, 2)] * 4 + [(16, 2, 2)] * 2"


def config(conv: str = CONV_50, rate: float = 50.0) -> HubertConfig:
    return HubertConfig(
        encoder_layers=2, encoder_embed_dim=32, encoder_ffn_embed_dim=64, encoder_attention_heads=4,
        conv_feature_layers=conv, conv_pos=16, conv_pos_groups=4, label_rate=rate,
    )  # fmt: skip


def test_halve_rate_appends_the_mean_of_two_frames() -> None:
    torch.manual_seed(0)
    hubert = Hubert(config(), HubertTask(label_rate=50.0, padding=40)).eval()
    halved = halve_rate(hubert).eval()
    assert halved.config.encoder.conv == (*hubert.config.encoder.conv, (16, 2, 2))
    assert (halved.config.encoder.hop, halved.receptive_field) == (640, 720)
    assert (halved.config.label_rate, halved.task) == (25.0, HubertTask(label_rate=25.0, padding=40))
    clip = torch.randn(1, 16000)
    every, half = hubert.encoder.features(clip), halved.encoder.features(clip)
    assert half.shape[1] == every.shape[1] // 2
    pairs = every[:, : 2 * half.shape[1]].unflatten(1, (-1, 2)).mean(2)
    torch.testing.assert_close(half, torch.nn.functional.gelu(pairs))


def test_pretraining_load_keeps_a_classifier_of_the_same_size(trained: Path) -> None:
    path = Checkpoint(trained, "").hubert
    units = len(Pretraining.load(path, 1000).classifier.weight)
    assert units == 1000
    tensors = torch.load(trained / "training" / "hubert.pt", weights_only=True)["parts"]["model"]
    saved = tensors["classifier.weight"]
    assert torch.allclose(Pretraining.load(path, len(saved)).classifier.weight, saved, atol=1e-3)


def test_pretraining_load_refuses_other_rates(trained: Path) -> None:
    with pytest.raises(CheckpointError, match=r"has 25 frames per second, so --rate is 25 or 12, not 50"):
        Pretraining.load(Checkpoint(trained, "").hubert, 5, rate=50)


def test_spans_masks_the_share_in_whole_spans() -> None:
    mask = spans((200, 100), 0.25, np.random.default_rng(0)).numpy()
    # spans overlap, so slightly less than the share is masked
    assert 0.18 < mask.mean() < 0.25
    for row in mask:
        edges = np.flatnonzero(np.diff(np.r_[0, row, 0]))
        lengths = edges[1::2] - edges[::2]
        assert all(length >= 5 for length, stop in zip(lengths, edges[1::2], strict=True) if stop < 100)
