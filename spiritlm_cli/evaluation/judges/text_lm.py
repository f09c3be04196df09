"""Language models of text, for the perplexity of texts: folders of `AutoModelForCausalLM`."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from spiritlm_cli.checkpoints.open_layouts import MAX_VOCABULARY_BYTES
from spiritlm_cli.config import read_json
from spiritlm_cli.errors import CheckpointError, TokenError
from spiritlm_cli.evaluation.judges.folders import find_folder
from spiritlm_cli.files import read_limited
from spiritlm_cli.language.llama import PackedLlama
from spiritlm_cli.language.network import Network, load_network
from spiritlm_cli.language.scoring import Score, ScoredIds, score_batch
from spiritlm_cli.language.text_tokenizer import read_tokenizer, start_ids
from spiritlm_cli.nn.device import find_device

# Tokens in a batch.
_MAX_TOKENS = 2048


class TextLanguageModel:
    """Log-likelihoods of texts, in float32.

    Each token is scored after the model's start token and all tokens before it. Without a start token, the first token
    of a text is not scored. Results don't depend on the other texts: on a CPU they are the same bit for bit, on others
    up to rounding.
    """

    def __init__(self, network: Network[Any], tokenizer: Any, start: Sequence[int]) -> None:
        """tokenizer: of the package `tokenizers`. start: ids before each text."""
        self._network, self._tokenizer, self._start = network, tokenizer, list(start)
        # Other networks pad a batch, which changes the results by rounding, and a CPU gains little by batches.
        in_batches = isinstance(network, PackedLlama) or network.device.type != "cpu"
        self._max_tokens = _MAX_TOKENS if in_batches else 1

    @classmethod
    def load(cls, folder: str | Path, device: str = "auto") -> "TextLanguageModel":
        """Load a Hugging Face folder with config.json, the weights and tokenizer.json, in float32.

        No code in it is run. Raises CheckpointError, and SpiritLMError if the device can't be used.
        """
        path = find_folder(folder, "text language model")
        source = path / "tokenizer.json"
        tokenizer = read_tokenizer(read_limited(source, MAX_VOCABULARY_BYTES, CheckpointError), source)
        network = load_network(path, [find_device(device)], torch.float32)
        start = start_ids(tokenizer, source)
        bos = read_json(path / "config.json").get("bos_token_id")
        if not start and isinstance(bos, int) and 0 <= bos < network.vocab_size:
            start = [bos]
        return cls(network, tokenizer, start)

    def score(self, texts: Sequence[str], contexts: Sequence[str] | None = None) -> list[Score]:
        """Score texts, in order. A text without tokens has the score of none.

        contexts: for each text the text before it, which is not scored; the two are tokenized as one, and a token that
        is in both belongs to the text. Raises TokenError for a text that is longer than the model's context.
        """
        contexts = [""] * len(texts) if contexts is None else contexts
        encoded = [self._encode(*pair) for pair in zip(contexts, texts, strict=True)]
        scores = [Score(0.0, 0)] * len(texts)
        for batch in self._batches(encoded):
            for index, score in zip(
                batch, score_batch(self._network, [encoded[i] for i in batch]), strict=True
            ):
                scores[index] = score
        return scores

    def _encode(self, context: str, text: str) -> ScoredIds:
        encoding = self._tokenizer.encode(context + text, add_special_tokens=False)
        ids = [*self._start, *encoding.ids]
        given = sum(end <= len(context) for _, end in encoding.offsets) if context else 0
        if max(ids, default=0) >= self._network.vocab_size:
            raise CheckpointError("the text language model has fewer tokens than its tokenizer.json")
        scored = ScoredIds(ids, max(1, len(self._start) + given))
        try:
            scored.check_length(self._network.context_length)
        except TokenError as error:
            raise TokenError(f"the text is too long for the text language model: {error}") from None
        return scored

    def _batches(self, encoded: Sequence[ScoredIds]) -> Iterator[list[int]]:
        """Yield the indices of texts with tokens to score, in batches of bounded size."""
        batch: list[int] = []
        tokens = 0
        for index, scored in enumerate(encoded):
            if len(scored.ids) <= scored.context:
                continue
            if batch and tokens + len(scored.ids) > self._max_tokens:
                yield batch
                batch, tokens = [], 0
            batch.append(index)
            tokens += len(scored.ids)
        if batch:
            yield batch
