"""Slamkit's language models, converted to Hugging Face folders: the same results, in transformers too."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from open_models import SLAMKIT_TEXT, UNITS
from safetensors.torch import load_file

from spiritlm_cli.checkpoints.convert import convert
from spiritlm_cli.checkpoints.slamkit import SLAMKIT_NAMES, SLAMKIT_SPEECH_NAMES, is_slamkit
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.language.vocabulary_loading import load_vocabulary
from spiritlm_cli.third_party import hide_broken_torchaudio
from spiritlm_cli.tokens.reader import parse_sequence

with hide_broken_torchaudio():
    from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

SPEECH = parse_sequence("[SPEECH][Hu3][Hu7][Hu499][Hu7]")


@pytest.fixture(scope="module")
def converted(open_language_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of slamkit's models, each a folder. Read-only."""
    out = tmp_path_factory.mktemp("converted")
    for name, text in SLAMKIT_TEXT.items():
        text_tokenizer = str(open_language_models / text) if text else None
        assert convert(str(open_language_models / name), out / name, text_tokenizer=text_tokenizer)
    return out


@pytest.mark.parametrize("name", SLAMKIT_TEXT)
def test_convert_of_slamkit_keeps_results(open_language_models: Path, converted: Path, name: str) -> None:
    text = SLAMKIT_TEXT[name]
    before = LanguageModel.read(
        open_language_models / name, "cpu", text_tokenizer=open_language_models / text if text else None
    )
    after = LanguageModel.read(converted / name, "cpu")
    assert not is_slamkit(converted / name)
    ours, theirs = before.vocabulary, after.vocabulary
    assert (ours.size, ours.bos_id, ours.eos_ids) == (theirs.size, theirs.bos_id, theirs.eos_ids)
    assert (ours.unit_ids, ours.marker_ids) == (theirs.unit_ids, theirs.marker_ids)
    prompts = [SPEECH, parse_sequence("[TEXT]the <Un3> mat[SPEECH][Hu3][Hu7]")] if text else [SPEECH]
    greedy = Sampling(greedy=True, max_new_tokens=20)
    for prompt in prompts:
        assert before.score(prompt) == after.score(prompt)
        assert before.generate(prompt, "same", greedy).ids == after.generate(prompt, "same", greedy).ids


@pytest.mark.parametrize("name", SLAMKIT_TEXT)
def test_convert_of_slamkit_is_a_folder_of_transformers(converted: Path, name: str) -> None:
    model = AutoModelForCausalLM.from_pretrained(converted / name)
    assert type(model).__name__ == {"llama": "LlamaForCausalLM", "qwen": "Qwen2ForCausalLM"}[name[5:]]
    assert json.loads((converted / name / "config.json").read_text())["architectures"] == [
        type(model).__name__
    ]
    lm = LanguageModel.read(converted / name, "cpu")
    ids = [lm.vocabulary.bos_id, *lm.vocabulary.unit_ids.values()][-20:]
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    expected = logits[torch.arange(len(ids) - 1), torch.tensor(ids[1:])].sum()
    assert lm.score_ids(ids).log_likelihood == pytest.approx(float(expected), abs=1e-3)
    if SLAMKIT_TEXT[name]:
        tokenizer = AutoTokenizer.from_pretrained(converted / name)
        text = "<speech><Un3><Un499><text>the mat"
        prompt = parse_sequence("[SPEECH][Hu3][Hu499][TEXT]the mat")
    else:
        # AutoTokenizer takes that of Qwen, whatever the folder says
        tokenizer = PreTrainedTokenizerFast.from_pretrained(converted / name)
        text, prompt = "<Un3><Un499>", parse_sequence("[SPEECH][Hu3][Hu499]")
        assert tokenizer.pad_token_id == 0
    assert tokenizer(text).input_ids == lm.vocabulary.encode(prompt)
    assert len(tokenizer) == lm.vocabulary.size


@pytest.mark.parametrize("pickled", [False, True])
def test_convert_of_slamkit_keeps_tensors(open_language_models: Path, tmp_path: Path, pickled: bool) -> None:
    root, text = tmp_path / "sims", open_language_models / "text-qwen"
    shutil.copytree(open_language_models / "sims-qwen", root)
    shutil.copy(text / "tokenizer.json", root)
    tensors = load_file(root / "model.safetensors")
    if pickled:
        (root / "model.safetensors").unlink()
        torch.save(tensors, root / "pytorch_model.bin")
    (root / "README.md").write_text("x")
    (root / "generation_config.json").write_text("{}")
    torch.save({}, root / "optimizer.pt")
    (root / "old").mkdir()
    torch.save({}, root / "old" / "pytorch_model.bin")
    messages: list[str] = []
    out = tmp_path / "out"
    convert(str(root), out, 200_000, messages.append)
    assert messages[:2] == [
        "left out: optimizer.pt: not the weights of the language model",
        "left out: old/pytorch_model.bin: not the weights of the language model",
    ]
    assert {path.name for path in out.rglob("*.json")} == {
        *("config.json", "tokenizer.json", "generation_config.json", "converted.json"),
        "model.safetensors.index.json",
    }
    assert (out / "README.md").read_text() == "x"
    after = {}
    for path in out.glob("*.safetensors"):
        after |= load_file(path)
    assert {f"lm.{name}" for name in after} == set(tensors)
    assert all(torch.equal(tensor, tensors[f"lm.{name}"]) for name, tensor in after.items())
    assert convert(str(root), out, 200_000).files_written == 0
    (out / "converted.json").rename(out / "converted.json.part")
    (out / "tokenizer.json").unlink()
    with pytest.raises(CheckpointError, match="holds something else"):
        convert(str(root), out, 200_000)


def test_convert_of_slamkit_continues(open_language_models: Path, tmp_path: Path) -> None:
    root, text = str(open_language_models / "sims-llama"), str(open_language_models / "text-llama")
    whole, out = tmp_path / "whole", tmp_path / "out"
    convert(root, whole, text_tokenizer=text)

    def stop(message: str) -> None:
        if message.startswith("3/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(root, out, notify=stop, text_tokenizer=text)
    result = convert(root, out, text_tokenizer=text)
    assert (result.files_written, result.files_kept) == (2, 2)
    for path in whole.iterdir():
        assert (out / path.name).read_bytes() == path.read_bytes()
    with pytest.raises(CheckpointError, match="holds something else"):
        convert(root, out, text_tokenizer=str(open_language_models / "text-qwen"))


def test_a_tokenizer_with_units_is_copied(
    open_language_models: Path, converted: Path, tmp_path: Path
) -> None:
    root, text = str(open_language_models / "sims-qwen"), converted / "sims-qwen"
    convert(root, tmp_path / "out", text_tokenizer=str(text))
    assert (tmp_path / "out" / "tokenizer.json").read_bytes() == (text / "tokenizer.json").read_bytes()


def test_convert_of_slamkit_names_what_is_wrong(open_language_models: Path, tmp_path: Path) -> None:
    models, out = open_language_models, tmp_path / "out"
    text = str(models / "text-qwen")
    with pytest.raises(CheckpointError, match="sims-qwen: has no text tokenizer; add --text-tokenizer"):
        convert(str(models / "sims-qwen"), out)
    with pytest.raises(
        CheckpointError, match="slam-qwen: has speech units alone; leave out --text-tokenizer"
    ):
        convert(str(models / "slam-qwen"), out, text_tokenizer=text)
    with pytest.raises(
        CheckpointError, match="is not a language model of slamkit; leave out --text-tokenizer"
    ):
        convert("nano", out, text_tokenizer=text)
    broken = tmp_path / "text"
    broken.mkdir()
    (broken / "tokenizer.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"text/tokenizer\.json: cut off or not a tokenizer\.json"):
        convert(str(models / "sims-qwen"), out, text_tokenizer=str(broken))


def test_convert_of_slamkit_leaves_out_names_of_code(open_language_models: Path, tmp_path: Path) -> None:
    root = tmp_path / "slam-qwen"
    shutil.copytree(open_language_models / "slam-qwen", root)
    config = json.loads((root / "config.json").read_text())
    config["base_config"]["auto_map"] = {"AutoModelForCausalLM": "code.Network"}
    (root / "config.json").write_text(json.dumps(config))
    convert(str(root), tmp_path / "out")
    assert "auto_map" not in json.loads((tmp_path / "out" / "config.json").read_text())


def test_convert_of_slamkit_refuses_ids_with_gaps(open_language_models: Path, tmp_path: Path) -> None:
    """The units would get other ids than the model has for them."""
    content = json.loads((open_language_models / "text-qwen" / "tokenizer.json").read_text())
    vocabulary = content["model"]["vocab"]
    last = max(vocabulary, key=vocabulary.get)
    vocabulary[last] += 5
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match="ids that no token has"):
        convert(
            str(open_language_models / "sims-qwen"), tmp_path / "out", text_tokenizer=str(tmp_path / "text")
        )


def test_names_of_slamkit() -> None:
    assert (SLAMKIT_NAMES[0], SLAMKIT_NAMES[-3:]) == ("<Un0>", ("<Un499>", "<speech>", "<text>"))
    assert len(SLAMKIT_SPEECH_NAMES) == UNITS + 2


def test_load_vocabulary_of_speech_alone(converted: Path, tmp_path: Path) -> None:
    """It is known by all its tokens."""
    content = json.loads((converted / "slam-qwen" / "tokenizer.json").read_text())
    del content["model"]["vocab"]["<Un499>"]
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=r"tokenizer\.json: has no marker of text"):
        load_vocabulary(tmp_path)
