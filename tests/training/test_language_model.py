import json
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F
from training_fixtures import assert_same_weights, interrupted, language_model_options

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.language.transformers_llama import LlamaForCausalLM
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind, Unit
from spiritlm_cli.training import language_model
from spiritlm_cli.training.language_model import TRANSCRIPT_WEIGHT, LossFunction, new_language_model
from spiritlm_cli.training.mixture import Source
from spiritlm_cli.training.options import LanguageModelOptions
from spiritlm_cli.training.pairs import LabeledSequence
from spiritlm_cli.training.rows import Rows
from spiritlm_cli.training.vocabulary import train_vocabulary

FOLDER = Path("spiritlm_model") / "spirit-lm-expressive-7b"
SPEECH = SpeechSpan((Unit(Kind.HUBERT, 3), Unit(Kind.HUBERT, 4)))


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary(
        train_vocabulary(["the old man walked to the sea"] * 50, 300, hubert=8, pitch=0, style=0)
    )


def options(**changes: object) -> LanguageModelOptions:
    sizes = dict(output=Path("unused"), dim=16, layers=1, heads=2, ffn=16, bf16=False)
    return LanguageModelOptions(**(sizes | changes))  # type: ignore[arg-type]


@pytest.fixture
def network(vocabulary: Vocabulary) -> LlamaForCausalLM:
    torch.manual_seed(0)
    return new_language_model(options(attention=1.0), vocabulary, torch.device("cpu"))


def batch(vocabulary: Vocabulary) -> Rows:
    """A row of the transcript of speech, a row of speech that reads text; words 0 in both modalities."""
    sequences = (Sequence((SPEECH, TextSpan("sea"))), Sequence((TextSpan("sea"), SPEECH)))
    rows = [[*vocabulary.encode(sequence), vocabulary.eos_id] for sequence in sequences]
    tokens = torch.tensor([row[: min(map(len, rows))] for row in rows])
    markers = [*vocabulary.marker_ids.values(), vocabulary.bos_id, vocabulary.eos_id]
    words = torch.where(torch.isin(tokens, torch.tensor(markers)), -1, 0)
    return Rows(tokens, tokens, torch.tensor([[0], [1]]).expand_as(tokens), words)


def sources() -> list[Source]:
    drawn = LabeledSequence(Sequence((SPEECH,)))
    return [Source(1.0, lambda _: drawn, transcript=True), Source(1.0, lambda _: drawn, spoken=True)]


def test_loss_function_weights_transcripts(network: LlamaForCausalLM, vocabulary: Vocabulary) -> None:
    rows = batch(vocabulary)
    loss, shown = LossFunction(network, sources(), vocabulary, options())(rows, 0.0)
    targets = rows.tokens[:, 1:]
    losses = F.cross_entropy(
        network(rows.inputs[:, :-1]).logits.flatten(0, 1), targets.flatten(), reduction="none"
    ).view_as(targets)
    units = torch.isin(
        targets, torch.tensor([*vocabulary.unit_ids.values(), *vocabulary.marker_ids.values()])
    )
    weights = torch.ones_like(losses)
    weights[0] = torch.where(units[0], 0.0, TRANSCRIPT_WEIGHT)
    assert loss.item() == pytest.approx(((losses * weights).sum() / weights.sum()).item(), rel=1e-5)
    assert shown["transcript"] == pytest.approx(losses[0][~units[0]].mean().item(), rel=1e-5)
    assert shown["spoken"] == pytest.approx(losses[1][units[1]].mean().item(), rel=1e-5)
    assert shown["text"] == pytest.approx(losses[~units].mean().item(), rel=1e-5)
    assert shown["units"] == pytest.approx(losses[units].mean().item(), rel=1e-5)


def test_loss_function_adds_the_loss_on_attention(network: LlamaForCausalLM, vocabulary: Vocabulary) -> None:
    losses_of = LossFunction(network, sources(), vocabulary, options())
    rows = batch(vocabulary)
    plain, _ = losses_of(rows, 0.0)
    half, shown = losses_of(rows, 0.5)
    full, _ = losses_of(rows, 1.0)
    assert 0 < shown["attended"] < 1
    assert (full - plain).item() == pytest.approx(2 * (half - plain).item(), rel=1e-4)
    assert half > plain


def test_new_language_model_rounds_the_vocabulary_up(
    vocabulary: Vocabulary, network: LlamaForCausalLM
) -> None:
    assert vocabulary.size <= network.config.vocab_size < vocabulary.size + 64
    assert network.config.vocab_size % 64 == 0


def test_train_resume_is_bit_identical(corpus: Path, tmp_path: Path) -> None:
    shared = dict(steps=3, bf16=False, attention=0.5)
    language_model.train(language_model_options(corpus, tmp_path / "whole", **shared))
    with interrupted(2):
        language_model.train(language_model_options(corpus, tmp_path / "parts", save_every=1, **shared))
    language_model.train(language_model_options(corpus, tmp_path / "parts", resume=True, **shared))
    whole, parts = (tmp_path / name / FOLDER for name in ("whole", "parts"))
    assert_same_weights(whole / "model.safetensors", parts / "model.safetensors")
    assert (whole / "tokenizer.model").read_bytes() == (parts / "tokenizer.model").read_bytes()


def test_train_continues_from_start_weights(corpus: Path, trained: Path, tmp_path: Path) -> None:
    start = trained / FOLDER / "model.safetensors"
    language_model.train(
        language_model_options(corpus, tmp_path, steps=1, start=start, vocabulary=999, learning_rate=0.0)
    )
    assert_same_weights(start, tmp_path / FOLDER / "model.safetensors")
    vocabularies = [(root / FOLDER / "tokenizer.model").read_bytes() for root in (trained, tmp_path)]
    assert vocabularies[0] == vocabularies[1]


def test_train_writes_a_config_without_defaults(trained: Path) -> None:
    config = json.loads((trained / FOLDER / "config.json").read_text())
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert config["num_hidden_layers"] == 1
    assert "transformers_version" not in config


def test_train_needs_text(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    with pytest.raises(ManifestError, match=r"empty\.txt: there is no text"):
        language_model.train(LanguageModelOptions(text=tmp_path / "empty.txt", output=tmp_path))
