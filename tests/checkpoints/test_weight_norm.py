"""Weight norm: folded weights are those that torch computes, under either of the names of g and v."""

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from spiritlm_cli.checkpoints.tensors import TensorFile
from spiritlm_cli.checkpoints.weight_norm import fold_weight_norm, release_state_dict
from spiritlm_cli.errors import CheckpointError

PATH = Path("generator.pt")


@pytest.mark.parametrize("dim", [0, 2])
def test_fold_weight_norm_is_bit_identical(dim: int) -> None:
    conv = weight_norm(nn.Conv1d(3, 4, 5), dim=dim)
    network = nn.Sequential(conv)
    release = release_state_dict(network)
    assert release.keys() == {"0.bias", "0.weight_g", "0.weight_v"}
    for state in (release, network.state_dict()):
        folded = fold_weight_norm(TensorFile(PATH, dict(state), {"step": 1}))
        assert folded.tensors.keys() == {"0.bias", "0.weight"}
        assert torch.equal(folded.tensors["0.weight"], conv.weight)
        assert folded.config == {"step": 1}


def test_fold_weight_norm_names_shapes_that_do_not_match() -> None:
    tensors = {"a.weight_g": torch.ones(3, 1, 1), "a.weight_v": torch.ones(4, 3, 5)}
    with pytest.raises(
        CheckpointError, match=r"generator\.pt: a\.weight_g is \(3, 1, 1\), which doesn't fit"
    ):
        fold_weight_norm(TensorFile(PATH, tensors))


def test_fold_weight_norm_leaves_a_lone_tensor() -> None:
    tensors = {"a.weight_g": torch.ones(3, 1, 1)}
    assert fold_weight_norm(TensorFile(PATH, tensors)).tensors.keys() == tensors.keys()
