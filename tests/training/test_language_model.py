"""The loss of the language model, part by part."""

import random

import pytest
import torch

from spiritlm_cli.language.sentencepiece_vocabulary import SentencePieceVocabulary
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind, Unit
from spiritlm_cli.training.language_model import TRANSCRIPT_WEIGHT, LossFunction
from spiritlm_cli.training.language_model_options import LanguageModelOptions
from spiritlm_cli.training.mixture import Source
from spiritlm_cli.training.pairs import LabeledSequence
from spiritlm_cli.training.rows import Rows, draw_rows
from spiritlm_cli.training.starting_model import new_llama
from spiritlm_cli.training.vocabulary import train_vocabulary

TEXTS = ["the old man walked to the sea", "the sea was old and the man walked"] * 50
SPOKEN = Sequence((SpeechSpan(tuple(Unit(Kind.HUBERT, i) for i in range(8))), TextSpan("the sea was old")))


def vocabularies() -> dict[str, SentencePieceVocabulary]:
    """Text first, as `train_vocabulary` makes it; and units first."""
    whole = train_vocabulary(TEXTS, size=300, hubert=8, pitch=0, style=0)
    text = train_vocabulary(TEXTS, size=300, hubert=0, pitch=0, style=0)
    units = whole[len(text) :]
    # entries of a protobuf's repeated field may stand anywhere
    return {
        "text first": SentencePieceVocabulary(whole),
        "units first": SentencePieceVocabulary(units + text),
    }


@pytest.mark.parametrize("order", ["text first", "units first"])
def test_loss_function_tells_text_from_units_in_any_order(order: str) -> None:
    vocabulary = vocabularies()[order]
    assert (min(vocabulary.unit_ids.values()) < min(vocabulary.text_ids)) == (order == "units first")
    options = LanguageModelOptions(output=None, dim=16, layers=3, heads=2, ffn=16, bf16=False)  # type: ignore[arg-type]
    torch.manual_seed(0)
    network = new_llama(options, vocabulary)
    network.set_attn_implementation("eager")
    source = Source(1.0, lambda _: LabeledSequence(SPOKEN), transcript=True)
    tokens = torch.tensor([vocabulary.encode(SPOKEN)])
    rows = Rows(tokens, tokens, torch.zeros_like(tokens), torch.full_like(tokens, -1))
    loss, shown = LossFunction(network, [source], vocabulary, options)(rows, attention=0.0)
    logits = network(input_ids=tokens[:, :-1]).logits
    each = torch.nn.functional.cross_entropy(logits[0], tokens[0, 1:], reduction="none")
    # <s> predicts a marker; then 8 units and a marker, then text
    assert shown["transcript"] == pytest.approx(each[10:].mean().item(), abs=1e-5)
    assert shown["units"] == pytest.approx(each[:10].mean().item(), abs=1e-5)
    # only the transcript counts
    assert loss.item() == pytest.approx(each[10:].mean().item(), abs=1e-5)
    assert TRANSCRIPT_WEIGHT > 0


def test_loss_function_adds_the_loss_on_attention() -> None:
    vocabulary = vocabularies()["text first"]
    options = LanguageModelOptions(
        output=None,
        dim=16,
        layers=3,
        heads=2,
        ffn=16,
        bf16=False,
        attention=1.0,  # type: ignore[arg-type]
    )
    network = new_llama(options, vocabulary)
    network.set_attn_implementation("eager")
    rows = draw_rows([Source(1.0, lambda _: LabeledSequence(SPOKEN))], vocabulary, 1, 20, random.Random(0))
    words = torch.full_like(rows.tokens, -1)
    words[0, 2:10] = 0
    words[0, 11:] = 0
    losses_of = LossFunction(network, [Source(1.0, lambda _: LabeledSequence(SPOKEN))], vocabulary, options)
    plain, _ = losses_of(Rows(rows.tokens, rows.inputs, rows.sources, words), attention=0.0)
    more, shown = losses_of(Rows(rows.tokens, rows.inputs, rows.sources, words), attention=1.0)
    assert more > plain
    assert 0 < shown["attended"] < 1
