"""The stand-in release's language models, and the published implementation's answers on them."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from spiritlm_cli.config import read_json
from spiritlm_cli.language.loading import load_weights
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.transformers_llama import LlamaForCausalLM, new_network

BASE, EXPRESSIVE = "spirit-lm-base-7b", "spirit-lm-expressive-7b"
# The tokenizers that the answers were made with. Another version of sentencepiece may train another filler
# vocabulary; then only what doesn't depend on text is the same.
TOKENIZERS = {BASE: "6460a76f", EXPRESSIVE: "2b715d42"}


@pytest.fixture(scope="session")
def models(release_tree: Path) -> dict[str, LanguageModel]:
    return {
        BASE: LanguageModel.load(str(release_tree), expressive=False, device="cpu"),
        EXPRESSIVE: LanguageModel.load(str(release_tree), expressive=True, device="cpu"),
    }


@pytest.fixture(scope="session")
def lm(small_release: Path) -> LanguageModel:
    """An expressive model of a small vocabulary."""
    return LanguageModel.load(str(small_release), expressive=True, device="cpu")


@pytest.fixture(scope="session")
def same_tokenizers(release_tree: Path) -> bool:
    folder = release_tree / "spiritlm_model"
    return all(
        hashlib.sha256((folder / name / "tokenizer.model").read_bytes()).hexdigest().startswith(digest)
        for name, digest in TOKENIZERS.items()
    )


@pytest.fixture(scope="session")
def published(data: Path) -> list[dict[str, Any]]:
    """Each has model, output (what was asked for), prompt, prompt_ids, greedy_ids, log_likelihood and
    tokens_scored."""
    cases: list[dict[str, Any]] = json.loads((data / "language_model.json").read_text())
    return cases


@pytest.fixture(scope="session")
def load_reference() -> Callable[[Path], LlamaForCausalLM]:
    """Loads a Hugging Face folder into transformers' own network, in float32."""

    def load(folder: Path) -> LlamaForCausalLM:
        network = new_network(**read_json(folder / "config.json"))
        network.load_state_dict(load_weights(folder, torch.device("cpu"), torch.float32).state_dict())
        return network.eval()

    return load
