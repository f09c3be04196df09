"""Small language models with random weights and nano's vocabulary."""

from functools import cache, partial

import torch

from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.language.llama import PackedLlama
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.sentencepiece_vocabulary import SentencePieceVocabulary
from spiritlm_cli.language.transformers_llama import as_weights, new_network
from spiritlm_cli.vocoder.durations import DurationPredictor


@cache
def random_lm(seed: int, layers: int = 1, context: int = 64, ends: bool = True) -> LanguageModel:
    """Create the model of a seed.

    context: in tokens. ends: whether it generates `</s>`, markers and bytes often, instead of once in thousands of
    tokens.
    """
    checkpoint = find_checkpoint("nano")
    vocabulary = SentencePieceVocabulary.load(checkpoint.language_model(True) / "tokenizer.model")
    torch.manual_seed(seed)
    network = new_network(
        vocab_size=-(-vocabulary.size // 64) * 64, hidden_size=16, intermediate_size=32, num_hidden_layers=layers,
        num_attention_heads=2, max_position_embeddings=context,
    )  # fmt: skip
    if ends:
        often = [vocabulary.eos_id, *vocabulary.marker_ids.values(), *range(3, 259)]
        with torch.no_grad():
            network.lm_head.weight[often[:3]] *= 100
            network.lm_head.weight[often[3:]] *= 30
    return LanguageModel(
        PackedLlama(as_weights(network)),
        vocabulary,
        partial(DurationPredictor.load, checkpoint, expressive=True),
    )
