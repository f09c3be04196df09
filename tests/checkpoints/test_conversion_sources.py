"""What a conversion reads."""

from pathlib import Path

import pytest
import torch
from open_models import KMEANS

from spiritlm_cli.checkpoints.conversion_sources import find_source
from spiritlm_cli.errors import CheckpointError


def test_find_source_lists_all_files_that_are_read(open_language_models: Path, twist_folder: Path) -> None:
    text = open_language_models / "text-qwen"
    source = find_source(str(open_language_models / "sims-qwen"), 10**9, str(text))
    assert dict(source.files) == {
        "config.json": source.root / "config.json",
        "model.safetensors": source.root / "model.safetensors",
        "text_tokenizer:tokenizer.json": text / "tokenizer.json",
        "text_tokenizer:tokenizer_config.json": text / "tokenizer_config.json",
    }
    twist = find_source(str(twist_folder), 10**9, None)
    assert KMEANS in twist.files
    names = [step.name for step in twist.plan(print)]
    assert KMEANS.replace(".bin", ".safetensors") in names


def test_find_source_takes_a_file_of_torch(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save({"model_weight": {}}, path)
    source = find_source(str(path), 10**9, None)
    assert (source.root, dict(source.files)) == (path, {"model.pt": path})
    with pytest.raises(
        CheckpointError, match=r"model\.pt: not a HuBERT that fairseq pre-trained.* pickled k-means"
    ):
        list(source.plan(print))
    with pytest.raises(CheckpointError, match="leave out --text-tokenizer"):
        find_source(str(path), 10**9, str(tmp_path))
