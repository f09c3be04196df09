"""The network by itself: other shapes, training with weight norm, and how far a frame reaches."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from spiritlm_cli.checkpoints.tensors import TensorFile, load_into
from spiritlm_cli.checkpoints.weight_norm import fold_weight_norm, release_state_dict
from spiritlm_cli.vocoder.config import DurationConfig, HifiGanConfig
from spiritlm_cli.vocoder.hifigan import HifiGan

CONFIG = HifiGanConfig(
    upsample_rates=[5, 4, 4],
    upsample_kernel_sizes=[11, 8, 8],
    upsample_initial_channel=16,
    resblock_kernel_sizes=[3, 5],
    resblock_dilation_sizes=[[1, 2], [2, 6]],
    num_embeddings=10,
    embedding_dim=4,
    model_in_dim=16,
    dur_predictor_params=DurationConfig(encoder_embed_dim=4, var_pred_hidden_dim=6),
    code_hop_size=80,
    multispkr="single",
    num_speakers=2,
    num_f0_tokens=5,
    num_style_tokens=3,
)


@pytest.fixture(params=["1", "2"])
def network(request: pytest.FixtureRequest) -> HifiGan:
    torch.manual_seed(0)
    return HifiGan(dataclasses.replace(CONFIG, resblock=request.param), weight_normed=True).eval()


def test_what_is_trained_is_what_speaks(network) -> None:
    """The saved names are the release's, and the folded network gives the same samples."""
    state = release_state_dict(network)
    assert {
        "conv_pre.weight_g",
        "conv_pre.weight_v",
        "ups.0.weight_g",
        "dur_predictor.conv1.0.weight",
    } <= set(state)
    speaking = HifiGan(network.config).eval()
    load_into(speaking, fold_weight_norm(TensorFile(Path("generator.pt"), state)))
    units = torch.randint(3, (2, 7))
    speaker = torch.tensor([0, 1])
    trained = network(units, speaker, units, units)
    assert trained.shape == (2, 7 * 80)
    torch.testing.assert_close(speaking(units, speaker, units, units), trained)
    trained.square().mean().backward()
    assert all(p.grad is not None for name, p in network.named_parameters() if "dur_predictor" not in name)


def test_context_is_how_far_a_frame_reaches(network) -> None:
    units = torch.zeros(1, 61, dtype=torch.long)
    changed = units.clone()
    changed[0, 30] = 1
    with torch.inference_mode():
        one, other = (network(u, torch.tensor([0]), units, units)[0] for u in (units, changed))
    frames = (one != other).view(61, 80).any(1).nonzero()[:, 0]
    reach = max(30 - int(frames.min()), int(frames.max()) - 30)
    assert 3 <= reach <= network.context <= 2 * reach


def test_durations_are_whole_frames_of_at_least_one(network) -> None:
    units = torch.randint(10, (2, 9))
    durations = network.durations(units)
    expected = (network.log_durations(units).exp() - 1).round().clamp(min=1)
    assert durations.dtype == torch.int64
    assert durations.tolist() == expected.tolist()


def test_a_configuration_is_read_as_it_was_written(tmp_path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(dataclasses.asdict(CONFIG)))
    assert HifiGanConfig.read(path) == CONFIG
