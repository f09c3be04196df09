"""Tokenizers with more tokens."""

import json
from pathlib import Path

import pytest
from text_tokenizers import add_tokens, byte_level, encoded

from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.training.extension import extend_tokenizer
from spiritlm_cli.training.vocabulary import speech_names, train_vocabulary


def test_new_tokens_follow_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(encoded(byte_level()))
    extended = extend_tokenizer(tmp_path, speech_names(3, 2, 1))
    added = json.loads(extended.files["tokenizer.json"])["added_tokens"]
    new = {token["content"]: token["id"] for token in added if token["id"] >= extended.known}
    names = ["[Text]", "[Speech]", "[Hu0]", "[Hu1]", "[Hu2]", "[Pi0]", "[Pi1]", "[St0]"]
    assert new == {name: extended.known + index for index, name in enumerate(names)}


def test_tokens_that_are_spelled_in_another_way_are_known(tmp_path: Path) -> None:
    content = add_tokens(byte_level(), ["<Un0>", "<Un1>", "<speech>", "<text>"])
    (tmp_path / "tokenizer.json").write_bytes(encoded(content))
    extended = extend_tokenizer(tmp_path, speech_names(3, 0, 0))
    added = json.loads(extended.files["tokenizer.json"])["added_tokens"]
    assert [token["content"] for token in added if token["id"] >= extended.known] == ["[Hu2]"]


def test_code_that_a_configuration_names_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(encoded(byte_level()))
    config = {"eos_token": "<|end|>", "auto_map": {"AutoTokenizer": ["code.Tokenizer", None]}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    files = extend_tokenizer(tmp_path, speech_names(1, 0, 0)).files
    assert json.loads(files["tokenizer_config.json"]) == {"eos_token": "<|end|>"}


def test_a_tokenizer_model_with_units_is_preferred(tmp_path: Path) -> None:
    model = train_vocabulary(["the cat sat"] * 9, 280, hubert=1, pitch=0, style=0)
    (tmp_path / "tokenizer.model").write_bytes(model)
    (tmp_path / "tokenizer.json").write_bytes(encoded(byte_level()))
    assert list(extend_tokenizer(tmp_path, speech_names(1, 1, 1)).files) == ["tokenizer.model"]


def test_a_broken_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.model").write_bytes(b"\x0a\xff")
    with pytest.raises(CheckpointError, match=r"tokenizer\.model: cut off or not a sentencepiece model"):
        extend_tokenizer(tmp_path, speech_names(1, 0, 0))
