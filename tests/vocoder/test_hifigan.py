"""The network: other sizes, training with weight norm, the context of a frame, and padded batches."""

import dataclasses
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vocoder_fixtures import CONFIG

from spiritlm_cli.checkpoints.tensors import TensorFile, load_into
from spiritlm_cli.checkpoints.weight_norm import fold_weight_norm, release_state_dict
from spiritlm_cli.vocoder.hifigan import HifiGan


@pytest.fixture(params=["1", "2"])
def network(request: pytest.FixtureRequest) -> HifiGan:
    torch.manual_seed(0)
    return HifiGan(dataclasses.replace(CONFIG, resblock=request.param), weight_normed=True).eval()


def test_folded_network_equals_the_trained_one(network) -> None:
    """Saved under the release's names and loaded with weights folded, it gives the same samples."""
    state = release_state_dict(network)
    assert {
        "conv_pre.weight_g",
        "conv_pre.weight_v",
        "ups.0.weight_g",
        "dur_predictor.conv1.0.weight",
    } <= set(state)
    folded = HifiGan(network.config).eval()
    load_into(folded, fold_weight_norm(TensorFile(Path("generator.pt"), state)))
    units = torch.randint(3, (2, 7))
    speaker = torch.tensor([0, 1])
    trained = network(units, speaker, units, units)
    assert trained.shape == (2, 7 * 80)
    torch.testing.assert_close(folded(units, speaker, units, units), trained)
    trained.square().mean().backward()
    assert all(p.grad is not None for name, p in network.named_parameters() if "dur_predictor" not in name)


def test_context_bounds_the_reach_of_a_frame(network) -> None:
    units = torch.zeros(1, 61, dtype=torch.long)
    changed = units.clone()
    changed[0, 30] = 1
    with torch.inference_mode():
        one, other = (network(u, torch.tensor([0]), units, units)[0] for u in (units, changed))
    frames = (one != other).view(61, 80).any(1).nonzero()[:, 0]
    reach = max(30 - int(frames.min()), int(frames.max()) - 30)
    assert 3 <= reach <= network.context <= 2 * reach


def test_durations_are_whole_frames(network) -> None:
    units = torch.randint(10, (2, 9))
    durations = network.durations(units)
    expected = (network.log_durations(units).exp() - 1).round().clamp(min=1)
    assert durations.dtype == torch.int64
    assert durations.tolist() == expected.tolist()


@given(lengths=st.lists(st.integers(1, 60), min_size=1, max_size=6), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_of_a_padded_batch_end_as_if_nothing_followed(network, lengths, seed) -> None:
    """As on a GPU: rows padded with other units, and masked after their ends."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, 3, (3, len(lengths), max(lengths)), generator=generator)
    speaker = torch.zeros(len(lengths), dtype=torch.long)
    with torch.inference_mode():
        batch = network(ids[0], speaker, ids[1], ids[2], lengths=torch.tensor(lengths))
        for row, length in enumerate(lengths):
            one = [stream[row : row + 1, :length] for stream in ids]
            alone = network(one[0], speaker[:1], one[1], one[2])
            torch.testing.assert_close(batch[row, : alone.shape[1]], alone[0], atol=1e-5, rtol=0)
