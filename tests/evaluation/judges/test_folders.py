import json
import re
from pathlib import Path
from typing import Any

import pytest
from judge_fixtures import SENTIMENTS, write_text_classifier

from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.evaluation.judges.folders import (
    describe,
    describe_folder,
    find_folder,
    judge_files,
    read_labels,
)


def test_find_folder_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(
        CheckpointError, match="no/where: no such folder; give the Hugging Face folder of a judge"
    ):
        find_folder("no/where", "judge")
    with pytest.raises(CheckpointError, match=r"has no config\.json; .*`hf download REPOSITORY"):
        find_folder(tmp_path, "judge")


@pytest.mark.parametrize(
    ("what", "name", "needed"),
    [
        ("text classifier", "LlamaForCausalLM", "--text-classifier needs a sequence classifier"),
        ("speech classifier", "Wav2Vec2ForCTC", "--speech-classifier needs an audio classifier"),
        (
            "text language model",
            "RobertaForSequenceClassification",
            "--text-lm needs a causal language model",
        ),
        ("CTC model", "Wav2Vec2ForSequenceClassification", "a CTC model is needed"),
    ],
)
def test_find_folder_refuses_other_kinds_of_models(tmp_path: Path, what: str, name: str, needed: str) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"architectures": [name]}))
    message = f"{tmp_path} holds a {name} (config.json architectures), and {needed}"
    with pytest.raises(CheckpointError, match=re.escape(message)):
        find_folder(tmp_path, what)
    for architectures in (None, [], [3], ["Unknown"], "LlamaForCausalLM"):
        config.write_text(json.dumps({"architectures": architectures}))
        assert find_folder(tmp_path, what) == tmp_path


@pytest.mark.parametrize(
    ("what", "name"),
    [
        ("text classifier", "GPT2ForSequenceClassification"),
        ("speech classifier", "HubertForSequenceClassification"),
        ("text language model", "GPT2LMHeadModel"),
        ("text language model", "LlamaForCausalLM"),
        ("CTC model", "Wav2Vec2ForCTC"),
    ],
)
def test_find_folder_takes_models_of_the_kind(tmp_path: Path, what: str, name: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"architectures": [name]}))
    assert find_folder(tmp_path, what) == tmp_path


def test_describe_hashes_what_the_model_computes_with(tmp_path: Path) -> None:
    one = write_text_classifier(tmp_path / "one")
    first = describe("one", judge_files(one))
    assert first.startswith("one (sha256 ")
    assert len(first) == len("one (sha256 )") + 12
    assert describe_folder(one, "judge") == first
    (one / "README.md").write_text("not of the model")
    assert describe("one", judge_files(one)) == first
    (one / "tokenizer.json").write_text("{}")
    assert describe("one", judge_files(one)) != first


@pytest.mark.parametrize(
    ("config", "labels"),
    [
        ({"id2label": dict(enumerate(SENTIMENTS))}, SENTIMENTS),
        ({"id2label": {"1": "b", "0": 7}}, ("7", "b")),
        ({"num_labels": 3}, ("LABEL_0", "LABEL_1", "LABEL_2")),
        ({}, ("LABEL_0", "LABEL_1")),
    ],
)
def test_read_labels(tmp_path: Path, config: dict[str, Any], labels: tuple[str, ...]) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    assert read_labels(path) == labels


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"num_labels": 10**9}, "num_labels is 1000000000"),
        ({"id2label": ["a"]}, "not an object"),
        ({"id2label": {}}, "not an object"),
        ({"id2label": {"0": "a", "2": "b"}}, "has no label '1'"),
    ],
)
def test_read_labels_refuses(tmp_path: Path, config: dict[str, Any], message: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=message):
        read_labels(path)
