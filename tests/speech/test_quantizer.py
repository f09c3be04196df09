"""Quantizers: CTC blanks, nearest centers, and files of either kind."""

from pathlib import Path

import numpy as np
import pytest
import torch

from spiritlm_cli.checkpoints.tensors import write_tensors
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.speech.quantizer import (
    KMeansQuantizer,
    LinearQuantizer,
    QuantizerConfig,
    fill_blanks,
    load_quantizer,
    quantizer_layer,
)


@pytest.mark.parametrize(
    ("classes", "filled"),
    [
        ([9, 1, 9, 9, 2], [2, 1, 1, 1, 2]),
        ([9, 9], [9, 9]),
        ([3, 9], [3, 3]),
        ([], []),
        ([1, 2], [1, 2]),
    ],
)
def test_fill_blanks(classes: list[int], filled: list[int]) -> None:
    assert fill_blanks(np.array(classes, np.int64), 9).tolist() == filled
    assert fill_blanks(np.array(classes, np.int64), None).tolist() == classes


def test_load_quantizer_linear_saves_what_it_loads(release_tree: Path, tmp_path: Path) -> None:
    quantizer = load_quantizer(release_tree / "speech_tokenizer/hubert_25hz/L11_quantizer_500.pt")
    assert isinstance(quantizer, LinearQuantizer)
    features = torch.randn(7, quantizer.dim)
    assert quantizer.logits(features).shape == (7, quantizer.blank + 1)
    assert torch.equal(quantizer(features), quantizer.logits(features).argmax(1))
    path = tmp_path / "L11_quantizer_500.safetensors"
    state = {name.removeprefix("layers."): tensor for name, tensor in quantizer.state_dict().items()}
    write_tensors(path, state, {"model_cfg": vars(quantizer.config)})
    assert torch.equal(load_quantizer(path)(features), quantizer(features))


def test_quantizer_widths() -> None:
    assert QuantizerConfig(vocab_size=500, dim=768, upstream_dim=768).widths == (768, 702, 635, 501)


def test_k_means_quantizer_finds_nearest_centers(tmp_path: Path) -> None:
    path = tmp_path / "L11_quantizer_3.safetensors"
    write_tensors(path, {"cluster_centers": torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])})
    quantizer = load_quantizer(path)
    assert isinstance(quantizer, KMeansQuantizer)
    assert (quantizer.dim, quantizer.blank) == (2, None)
    assert quantizer(torch.tensor([[0.9, 0.3], [0.1, 0.2], [-1.0, 1.5]])).tolist() == [1, 0, 2]


def test_load_quantizer_names_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "L11_quantizer_3.safetensors"
    write_tensors(path, {"cluster_centers": torch.zeros(3)})
    with pytest.raises(CheckpointError, match=r"cluster_centers is \(3,\), expected \(units, dim\)"):
        load_quantizer(path)
    write_tensors(path, {"a": torch.zeros(3)})
    with pytest.raises(CheckpointError, match="neither a linear quantizer"):
        load_quantizer(path)


def test_quantizer_layer() -> None:
    assert quantizer_layer(Path("L11_quantizer_500.pt")) == 11
    assert quantizer_layer(Path("mhubert_base_25hz_cp_mls_cv_sp_fisher_L11_km500.bin")) == 11
    with pytest.raises(CheckpointError, match="a quantizer's name has its layer"):
        quantizer_layer(Path("quantizer_500.pt"))
