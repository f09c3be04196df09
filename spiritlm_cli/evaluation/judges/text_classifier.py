"""Classifiers of text, such as of sentiment or toxicity: folders of `AutoModelForSequenceClassification`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from spiritlm_cli.checkpoints.open_layouts import MAX_VOCABULARY_BYTES
from spiritlm_cli.config import read_json
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.evaluation.judges.classification import Classification
from spiritlm_cli.evaluation.judges.folders import find_folder, read_labels
from spiritlm_cli.files import read_limited
from spiritlm_cli.language.text_tokenizer import read_tokenizer
from spiritlm_cli.language.transformers_loading import load_text_classifier
from spiritlm_cli.nn.device import find_device

# Tokens of a text, for a network that has no limit.
_MAX_TOKENS = 512


class TextClassifier:
    """Assigns probabilities to the labels of a text.

    labels: in the order of the outputs. max_tokens: of a longer text, only the first ones are read.
    """

    def __init__(self, network: Any, tokenizer: Any, labels: tuple[str, ...], independent: bool) -> None:
        """network: of transformers. tokenizer: of the package `tokenizers`. independent: see `Classification.of`."""
        self._network, self._tokenizer, self._independent = network, tokenizer, independent
        self.labels = labels
        self.max_tokens = _max_tokens(network)
        tokenizer.enable_truncation(self.max_tokens)

    @classmethod
    def load(cls, folder: str | Path, device: str = "auto") -> "TextClassifier":
        """Load a Hugging Face folder with config.json, the weights and tokenizer.json, in float32.

        No code in it is run. Raises CheckpointError, and SpiritLMError if the device can't be used.
        """
        path = find_folder(folder, "text classifier")
        labels = read_labels(path / "config.json")
        tokenizer_path = path / "tokenizer.json"
        if not tokenizer_path.is_file():
            raise CheckpointError(
                f"{tokenizer_path}: missing; transformers writes it with "
                "AutoTokenizer.from_pretrained(REPOSITORY).save_pretrained(FOLDER)"
            )
        tokenizer = read_tokenizer(
            read_limited(tokenizer_path, MAX_VOCABULARY_BYTES, CheckpointError), tokenizer_path
        )
        network = load_text_classifier(path, find_device(device), labels)
        independent = read_json(path / "config.json").get("problem_type") == "multi_label_classification"
        classifier = cls(network, tokenizer, labels, independent)
        try:
            classifier.classify("a")
        except (RuntimeError, ValueError, TypeError, IndexError) as error:  # sizes that don't fit each other
            raise CheckpointError(f"{folder}: its network can't be computed ({error})") from error
        return classifier

    def classify(self, text: str) -> Classification:
        """Classify one text, which may be empty."""
        ids = self._tokenizer.encode(text).ids or [self._network.config.pad_token_id or 0]
        return self._classify(ids)

    def classify_all(self, texts: Sequence[str]) -> list[Classification]:
        """Classify texts, each in a pass of its own, so that no result depends on the others."""
        return [self.classify(text) for text in texts]

    @torch.inference_mode()
    def _classify(self, ids: list[int]) -> Classification:
        tokens = torch.tensor([ids], device=self._network.device)
        logits = self._network(input_ids=tokens, attention_mask=torch.ones_like(tokens)).logits[0]
        return Classification.of(logits, self.labels, self._independent)


def _max_tokens(network: Any) -> int:
    """The longest input. In networks of RoBERTa's kind, the first positions are for padding."""
    limit = getattr(network.config, "max_position_embeddings", None) or _MAX_TOKENS
    embeddings = getattr(network.base_model, "embeddings", None)
    padding = getattr(getattr(embeddings, "position_embeddings", None), "padding_idx", None)
    return int(limit if padding is None else limit - padding - 1)
