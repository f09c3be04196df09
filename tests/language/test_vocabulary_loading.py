import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from text_tokenizers import OPEN_MODELS, add_tokens, byte_level, encoded, token_line

from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.checkpoints.convert import convert
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.language.sentencepiece_vocabulary import SentencePieceVocabulary
from spiritlm_cli.language.speech_vocabulary import SpeechVocabulary
from spiritlm_cli.language.tokenizers_vocabulary import TokenizersVocabulary
from spiritlm_cli.language.vocabulary_loading import has_text, load_vocabulary
from spiritlm_cli.tokens.reader import parse_line

NAMES = ["[Hu0]", "[Hu1]", "[Speech]", "[Text]"]


def write_json(path: Path, **values: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(values))


def write_slamkit(folder: Path, vocab_size: int, **base: Any) -> Path:
    """Write the `config.json` of a slamkit model."""
    model = {"model_type": "speech_language_model", "base_model_name": "org/base", "base_config": base}
    write_json(folder / "config.json", vocab_size=vocab_size, **model)
    return folder


def write_text_tokenizer(folder: Path, name: str, **config: Any) -> Path:
    write_json(folder / "tokenizer_config.json", **config)
    shutil.copy(OPEN_MODELS / f"{name}.json", folder / "tokenizer.json")
    return folder


def cases(data: Path) -> list[dict[str, Any]]:
    """Prompts and their ids, as slamkit computes them."""
    result: list[dict[str, Any]] = json.loads((data / "open_models.json").read_text())["language_models"]
    return result


def test_prompt_ids_are_those_of_slamkit(data: Path, tmp_path: Path) -> None:
    vocabularies = {
        "sims-llama": load_vocabulary(
            write_slamkit(tmp_path / "sims-llama", 1202, eos_token_id=1),
            write_text_tokenizer(tmp_path / "text-llama", "text-llama", eos_token="<|endoftext|>"),
        ),
        "sims-qwen": load_vocabulary(
            write_slamkit(tmp_path / "sims-qwen", 1202, eos_token_id=1),
            write_text_tokenizer(tmp_path / "text-qwen", "text-qwen", eos_token="<|endoftext|>"),
        ),
        "slam-qwen": load_vocabulary(write_slamkit(tmp_path / "slam-qwen", 502)),
    }
    assert isinstance(vocabularies["slam-qwen"], SpeechVocabulary)
    for case in cases(data):
        line = parse_line(token_line(case["prompt"]))
        vocabulary = vocabularies[case["model"]]
        assert vocabulary.encode(line.sequence, line.opens) == case["prompt_ids"]
        assert vocabulary.decode(case["prompt_ids"]) == line.sequence
        for token in case["greedy_ids"]:
            assert vocabulary.modality(token) == case["output"] or token in vocabulary.eos_ids
    assert [vocabulary.eos_ids for vocabulary in vocabularies.values()] == [(1,)] * 3


def test_the_tokenizer_of_a_slamkit_model_may_be_in_its_folder(tmp_path: Path) -> None:
    folder = write_slamkit(tmp_path / "model", 1280, eos_token_id=1)
    write_text_tokenizer(folder, "text-qwen")
    vocabulary = load_vocabulary(folder)
    assert (vocabulary.size, vocabulary.eos_ids) == (1202, (1,))
    names = [*(f"<Un{index}>" for index in range(500)), "<speech>", "<text>"]
    (folder / "tokenizer.json").write_bytes(encoded(add_tokens(byte_level(), names)))
    assert load_vocabulary(folder).unit_ids == vocabulary.unit_ids


def test_a_slamkit_model_needs_its_own_text_tokenizer(tmp_path: Path) -> None:
    text = write_text_tokenizer(tmp_path / "text", "text-qwen")
    with pytest.raises(
        CheckpointError, match=r"model: has no text tokenizer; add --text-tokenizer.*org/base"
    ):
        load_vocabulary(write_slamkit(tmp_path / "model", 1202))
    with pytest.raises(CheckpointError, match=r"config\.json: vocab_size is 1210, but .*text.*makes 1202"):
        load_vocabulary(write_slamkit(tmp_path / "model", 1210), text)
    with pytest.raises(CheckpointError, match=r"model: has speech units alone; leave out --text-tokenizer"):
        load_vocabulary(write_slamkit(tmp_path / "model", 502), text)
    with pytest.raises(CheckpointError, match=r"none/tokenizer\.json: missing"):
        load_vocabulary(write_slamkit(tmp_path / "model", 1202), tmp_path / "none")


def test_a_folder_with_a_tokenizer_json(tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", model_type="opt", eos_token_id=[1, 3])
    write_json(tmp_path / "generation_config.json", eos_token_id=0)
    write_json(
        tmp_path / "tokenizer_config.json", eos_token={"content": "<|endoftext|>"}, add_bos_token=False
    )
    content = encoded(add_tokens(byte_level("text-llama"), NAMES))
    (tmp_path / "tokenizer.json").write_bytes(content)
    vocabulary = load_vocabulary(tmp_path)
    assert isinstance(vocabulary, TokenizersVocabulary)
    assert (vocabulary.bos_id, vocabulary.eos_ids) == (None, (1, 0))
    with pytest.raises(CheckpointError, match="has its own text tokenizer; leave out --text-tokenizer"):
        load_vocabulary(tmp_path, tmp_path)


def test_a_tokenizer_model_with_units_is_preferred(tmp_path: Path) -> None:
    nano = find_checkpoint("nano").language_model(True)
    assert isinstance(load_vocabulary(nano), SentencePieceVocabulary)
    shutil.copy(nano / "tokenizer.model", tmp_path)
    (tmp_path / "tokenizer.json").write_bytes(encoded(add_tokens(byte_level(), NAMES)))
    assert isinstance(load_vocabulary(tmp_path), SentencePieceVocabulary)
    # the base model's
    content = (tmp_path / "tokenizer.model").read_bytes()
    (tmp_path / "tokenizer.model").write_bytes(content.replace(b"[Hu0]", b"[Xu0]"))
    assert isinstance(load_vocabulary(tmp_path), TokenizersVocabulary)


def test_has_text(open_language_models: Path, tmp_path: Path) -> None:
    assert not has_text(open_language_models / "slam-qwen")
    assert has_text(open_language_models / "sims-qwen")
    assert has_text(tmp_path)
    convert(str(open_language_models / "slam-qwen"), tmp_path / "slam")
    assert not has_text(tmp_path / "slam")


def test_a_folder_without_a_tokenizer_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"tokenizer\.model: missing \(or tokenizer\.json\)"):
        load_vocabulary(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
def test_a_broken_file_is_named(tmp_path: Path, name: str) -> None:
    write_json(tmp_path / "config.json", model_type="llama")
    write_text_tokenizer(tmp_path, "text-qwen")
    (tmp_path / name).write_text("{")
    with pytest.raises(CheckpointError, match=name.replace(".", r"\.")):
        load_vocabulary(tmp_path)
