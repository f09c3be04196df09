"""A language model with random weights and nano's vocabulary, which generates markers, bytes and `</s>` often."""

from functools import cache, partial

import torch

from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.transformers_llama import as_weights, new_network
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.vocoder.durations import DurationPredictor


@cache
def random_lm(seed: int) -> LanguageModel:
    """Create the model of a seed. Its context is 64 tokens."""
    checkpoint = find_checkpoint("nano")
    vocabulary = Vocabulary.load(checkpoint.language_model(True) / "tokenizer.model")
    torch.manual_seed(seed)
    network = new_network(
        vocab_size=-(-vocabulary.size // 64) * 64, hidden_size=16, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=64,
    )  # fmt: skip
    with torch.no_grad():
        # without this, `</s>`, a marker or a byte would come once in thousands of tokens
        often = [vocabulary.eos_id, *vocabulary.marker_ids.values(), *range(3, 259)]
        network.lm_head.weight[often[:3]] *= 100
        network.lm_head.weight[often[3:]] *= 30
    return LanguageModel(
        as_weights(network), vocabulary, partial(DurationPredictor.load, checkpoint, expressive=True)
    )
