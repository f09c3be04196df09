from pathlib import Path

import pytest
import torch
from causal_lm import change_config
from judge_fixtures import SENTIMENTS, write_text_classifier

from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.evaluation.judges.text_classifier import TextClassifier
from spiritlm_cli.third_party import hide_broken_torchaudio

with hide_broken_torchaudio():
    from transformers import AutoModelForSequenceClassification

TEXTS = ["I love it.", "", "no", "it is so very sad that " * 9]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_text_classifier(tmp_path_factory.mktemp("text_classifier"))


@pytest.fixture(scope="module")
def classifier(folder: Path) -> TextClassifier:
    return TextClassifier.load(folder, "cpu")


def test_classify_equals_transformers(folder: Path, classifier: TextClassifier) -> None:
    network = AutoModelForSequenceClassification.from_pretrained(folder)
    ids = torch.tensor([classifier._tokenizer.encode(TEXTS[0]).ids])
    with torch.inference_mode():
        expected = network.eval()(input_ids=ids).logits.softmax(-1)[0]
    result = classifier.classify(TEXTS[0])
    assert tuple(result.probabilities) == classifier.labels == SENTIMENTS
    assert list(result.probabilities.values()) == pytest.approx(expected.tolist(), abs=1e-6)


def test_classify_does_not_depend_on_other_texts(classifier: TextClassifier) -> None:
    assert classifier.classify_all(TEXTS) == [classifier.classify(text) for text in TEXTS]


def test_long_texts_are_cut(classifier: TextClassifier) -> None:
    """In networks of RoBERTa's kind, the positions before that of the padding token can't be used."""
    assert classifier.max_tokens == 40 - 2
    assert classifier.classify("a b " * 19 + "a b " * 900) == classifier.classify("a b " * 600)


@pytest.mark.parametrize("kind", ["bert", "distilbert", "gpt2"])
def test_load_other_networks(tmp_path: Path, kind: str) -> None:
    changes = {"dim": 16, "hidden_dim": 24, "n_heads": 2, "n_layers": 1} if kind == "distilbert" else {}
    classifier = TextClassifier.load(write_text_classifier(tmp_path, ("no", "yes"), kind, **changes), "cpu")
    assert classifier.max_tokens == 40
    assert set(classifier.classify("a").probabilities) == {"no", "yes"}


def test_independent_labels(tmp_path: Path) -> None:
    folder = write_text_classifier(
        tmp_path, ("toxic", "insult", "threat"), problem_type="multi_label_classification"
    )
    assert sum(TextClassifier.load(folder, "cpu").classify("a").probabilities.values()) != pytest.approx(1)


def test_load_runs_no_code_of_the_folder(tmp_path: Path) -> None:
    write_text_classifier(tmp_path)
    mark = tmp_path / "mark"
    (tmp_path / "code.py").write_text(f"open({str(mark)!r}, 'w')\nclass Config: ...\n")
    change_config(tmp_path, auto_map={"AutoConfig": "code.Config"}, attn_implementation="someone/kernels")
    TextClassifier.load(tmp_path, "cpu")
    assert not mark.exists()


def test_load_names_what_is_wrong(tmp_path: Path) -> None:
    write_text_classifier(tmp_path)
    (tmp_path / "tokenizer.json").rename(tmp_path / "other.json")
    with pytest.raises(CheckpointError, match=r"tokenizer\.json: missing; transformers writes it with"):
        TextClassifier.load(tmp_path, "cpu")
    (tmp_path / "other.json").rename(tmp_path / "tokenizer.json")
    change_config(tmp_path, id2label={"0": "a", "1": "b"})
    with pytest.raises(CheckpointError, match=r"classifier\.out_proj\.(bias|weight) is \(3"):
        TextClassifier.load(tmp_path, "cpu")
    change_config(tmp_path, model_type="wav2vec2")
    with pytest.raises(CheckpointError, match="of which transformers has no text classifier"):
        TextClassifier.load(tmp_path, "cpu")
    (tmp_path / "config.json").unlink()
    with pytest.raises(CheckpointError, match="give the Hugging Face folder of a text classifier"):
        TextClassifier.load(tmp_path, "cpu")
