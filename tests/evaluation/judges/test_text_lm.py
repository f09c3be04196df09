from pathlib import Path

import pytest
import torch
from judge_fixtures import write_text_lm

from spiritlm_cli.errors import CheckpointError, TokenError
from spiritlm_cli.evaluation.judges.text_lm import TextLanguageModel
from spiritlm_cli.third_party import hide_broken_torchaudio

with hide_broken_torchaudio():
    from transformers import AutoModelForCausalLM

TEXTS = ["the cat sat", "", "a", "dogs ran the race on the cat", "the the"]


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_text_lm(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope="module")
def model(folder: Path) -> TextLanguageModel:
    return TextLanguageModel.load(folder, "cpu")


def test_score_equals_transformers(folder: Path, model: TextLanguageModel) -> None:
    network = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    ids = [*model._start, *model._tokenizer.encode(TEXTS[0], add_special_tokens=False).ids]
    with torch.inference_mode():
        loss = network(input_ids=torch.tensor([ids]), labels=torch.tensor([ids])).loss.item()
    (score,) = model.score(TEXTS[:1])
    assert score.tokens == len(ids) - 1
    assert score.mean == pytest.approx(-loss, abs=1e-4)


def test_score_does_not_depend_on_other_texts(model: TextLanguageModel) -> None:
    together = model.score(TEXTS)
    assert together == [model.score([text])[0] for text in TEXTS]
    assert together == model.score(TEXTS[::-1])[::-1]
    assert [score.tokens > 0 for score in together] == [True, False, True, True, True]


def test_score_after_a_context(model: TextLanguageModel) -> None:
    (whole,) = model.score(["the cat sat"])
    (context,) = model.score(["the cat"])
    (rest,) = model.score([" sat"], ["the cat"])
    assert rest.tokens == whole.tokens - context.tokens
    assert rest.log_likelihood == pytest.approx(whole.log_likelihood - context.log_likelihood, abs=1e-3)


def test_without_a_start_token_the_first_token_is_not_scored(tmp_path: Path) -> None:
    model = TextLanguageModel.load(write_text_lm(tmp_path, bos_token_id=None), "cpu")
    length = len(model._tokenizer.encode("the cat", add_special_tokens=False).ids)
    starts = len(model._start)
    assert model.score(["the cat"])[0].tokens == length - 1 + starts


def test_score_refuses_what_is_longer_than_the_context(model: TextLanguageModel) -> None:
    with pytest.raises(TokenError, match=r"too long for the text language model: .* context is 64"):
        model.score(["cat " * 90])


def test_load_names_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="give the Hugging Face folder of a text language model"):
        TextLanguageModel.load(tmp_path, "cpu")
    (write_text_lm(tmp_path) / "tokenizer.json").unlink()
    with pytest.raises(CheckpointError, match=r"tokenizer\.json: missing"):
        TextLanguageModel.load(tmp_path, "cpu")
