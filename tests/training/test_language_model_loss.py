"""The loss of the language model, part by part."""

import numpy as np
import pytest
import torch
from causal_lm import causal_lm

from spiritlm_cli.language.sentencepiece_vocabulary import SentencePieceVocabulary
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind, Unit
from spiritlm_cli.training.documents import Document, encode_document
from spiritlm_cli.training.lanes import LaneStream, RowFormat
from spiritlm_cli.training.language_model_loss import TRANSCRIPT_WEIGHT, LossFunction
from spiritlm_cli.training.language_model_options import LanguageModelOptions
from spiritlm_cli.training.mixture import Source
from spiritlm_cli.training.pairs import LabeledSequence
from spiritlm_cli.training.rows import Rows
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
    source = Source(1.0, lambda _, number: LabeledSequence(SPOKEN), transcript=True)
    document = encode_document(LabeledSequence(SPOKEN), vocabulary)
    tokens = torch.from_numpy(document.ids)[None]
    loss, shown = LossFunction(network, [source], vocabulary, options)(alone(document), attention=0.0)
    logits = network(input_ids=tokens[:, :-1]).logits
    each = torch.nn.functional.cross_entropy(logits[0], tokens[0, 1:], reduction="none")
    # <s> predicts a marker; then 8 units and a marker, then text
    assert float(shown["transcript"]) == pytest.approx(each[10:].mean().item(), abs=1e-5)
    assert float(shown["units"]) == pytest.approx(each[:10].mean().item(), abs=1e-5)
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
    source = Source(1.0, lambda _, number: LabeledSequence(SPOKEN, (np.zeros(8), np.zeros(15))))
    rows = next(LaneStream(RowFormat([source], vocabulary, 60), 0, 2, range(2)))
    losses_of = LossFunction(network, [source], vocabulary, options)
    plain, _ = losses_of(rows, attention=0.0)
    more, shown = losses_of(rows, attention=1.0)
    assert more > plain
    assert 0 < float(shown["attended"]) < 1


@pytest.mark.parametrize("kind", ["llama", "qwen2", "opt"])
def test_loss_of_packed_rows_is_that_of_each_document(kind: str) -> None:
    vocabulary = vocabularies()["text first"]
    options = LanguageModelOptions(output=None, bf16=False)  # type: ignore[arg-type]
    network = causal_lm(kind, vocab_size=320)
    documents = [
        encode_document(LabeledSequence(Sequence(SPOKEN.spans[i:])), vocabulary, "text" if i else "all")
        for i in (0, 1, 0)
    ]
    losses_of = LossFunction(
        network, [Source(1.0, lambda _, number: LabeledSequence(SPOKEN))], vocabulary, options
    )
    ids, words, weights = (
        torch.from_numpy(np.concatenate([getattr(document, name) for document in documents]))[None]
        for name in ("ids", "words", "weights")
    )
    positions = torch.cat([torch.arange(len(document)) for document in documents])[None]
    packed, _ = losses_of(Rows(ids, ids, torch.zeros_like(ids), words, positions, weights), 0.0)
    each = [losses_of(alone(document), 0.0)[0].item() for document in documents]
    expected = np.average(each, weights=[document.weights.sum() for document in documents])
    assert packed.item() == pytest.approx(expected, abs=1e-5)


def alone(document: Document) -> Rows:
    """A document as a row."""
    ids, words, weights = (
        torch.from_numpy(values)[None] for values in (document.ids, document.words, document.weights)
    )
    return Rows(ids, ids, torch.zeros_like(ids), words, torch.arange(len(document))[None], weights)


@pytest.mark.parametrize(
    ("loss", "weights"), [("balanced", [0.0, 0.0, TRANSCRIPT_WEIGHT]), ("all", [0.0, 1.0, 1.0])]
)
def test_weights_are_balanced_by_option(loss: str, weights: list[float]) -> None:
    vocabulary = vocabularies()["text first"]
    options = LanguageModelOptions(
        output=None,
        dim=16,
        layers=1,
        heads=2,
        ffn=16,
        loss=loss,  # type: ignore[arg-type]
    )
    source = Source(1.0, lambda _, number: LabeledSequence(SPOKEN), transcript=True)
    losses_of = LossFunction(new_llama(options, vocabulary), [source], vocabulary, options)
    text, unit = vocabulary.text_ids[-1], next(iter(vocabulary.unit_ids.values()))
    tokens = torch.tensor([[1, text, unit, text]])
    zeros = torch.zeros_like(tokens)
    rows = Rows(tokens, tokens, zeros, zeros - 1, torch.arange(4)[None], torch.tensor([[0.0, 0.0, 1.0, 1.0]]))
    assert losses_of.weights(rows).tolist() == [weights]


def test_loss_is_divided_by_a_mean_weight_below_1() -> None:
    """One trained token in four batches of a step, as with `--loss answer`: their mean weight is 1/4."""
    vocabulary = vocabularies()["text first"]
    options = LanguageModelOptions(output=None, dim=16, layers=1, heads=2, ffn=16, bf16=False, loss="all")  # type: ignore[arg-type]
    source = Source(1.0, lambda _, number: LabeledSequence(SPOKEN))
    losses_of = LossFunction(new_llama(options, vocabulary), [source], vocabulary, options)
    document = encode_document(LabeledSequence(SPOKEN), vocabulary)
    document.weights[:-1] = 0
    loss, report = losses_of(alone(document), 0.0, torch.tensor(0.25))
    assert loss.item() == pytest.approx(4 * float(report["loss"]), rel=1e-5)
