"""Text models of several kinds, extended to speech."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import torch
from causal_lm import change_config, write_causal_lm
from text_models import LINE, text_model
from text_tokenizers import byte_level, encoded
from tokenizers import Tokenizer

from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.prompt import Prompt
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.language.vocabulary_loading import load_vocabulary
from spiritlm_cli.third_party import hide_broken_torchaudio
from spiritlm_cli.tokens.reader import parse_line
from spiritlm_cli.tokens.units import Kind
from spiritlm_cli.training.language_model import train
from spiritlm_cli.training.language_model_options import LanguageModelOptions
from spiritlm_cli.training.starting_model import StartingModel, starting_model
from spiritlm_cli.training.vocabulary import train_vocabulary

with hide_broken_torchaudio():
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", {}),
    "tied llama": ("llama", {"tie_word_embeddings": True}),
    "qwen2": ("qwen2", {}),
    "opt": ("opt", {}),
    "gpt_neox": ("gpt_neox", {}),
    "gemma": ("gemma", {}),  # tied and scaled embeddings, bytes for unknown characters
}


def options_of(folder: Path, output: Path, **changes: Any) -> LanguageModelOptions:
    known = {"output": output, "base": str(folder), "context": 32, "tensorboard": False}
    return LanguageModelOptions(**known | changes)


@pytest.mark.parametrize("name", KINDS)
def test_extended_model_keeps_the_likelihoods_of_text(name: str, tmp_path: Path) -> None:
    kind, changes = KINDS[name]
    folder = text_model(tmp_path / "text", kind, **changes)
    before = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = torch.tensor([tokenizer("the cat sat on the mat")["input_ids"]])
    model = starting_model(options_of(folder, tmp_path / "out"), [])
    # transformers adds tokens of its own to some
    known = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab_size()
    with torch.no_grad():
        want = before(ids).logits[..., :known].log_softmax(-1)
        got = model.network(ids).logits[..., :known].log_softmax(-1)
    assert (got - want).abs().max() < 1e-5
    assert model.network.config.vocab_size % 64 == 0
    assert model.network.config.vocab_size >= model.vocabulary.size == known + 2 + 501 + 64 + 100


def test_resumed_model_keeps_the_configuration_of_its_weights(tmp_path: Path) -> None:
    """A run that is killed before its first save leaves a folder that others load."""
    folder = text_model(tmp_path / "text", "llama")
    options = options_of(folder, tmp_path / "out")
    starting_model(options, []).save()
    before = (tmp_path / "out" / "config.json").read_text()
    starting_model(replace(options, resume=True), [])
    assert (tmp_path / "out" / "config.json").read_text() == before


@pytest.mark.parametrize("name", KINDS)
def test_train_from_a_text_model_writes_a_folder_that_others_load(name: str, tmp_path: Path) -> None:
    kind, changes = KINDS[name]
    folder = text_model(tmp_path / "text", kind, **changes)
    lines = tmp_path / "lines.txt"
    lines.write_text(f"{LINE}\n")
    output = tmp_path / "out"
    losses: list[float] = []
    settings = {"lines": (lines,), "steps": 5, "batch": 1, "bf16": False, "learning_rate": 1e-2}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("spiritlm_cli.training.progress.Progress.show", lambda *a: losses.append(a[2]["loss"]))
        train(options_of(folder, output, **settings))
    assert losses[-1] < losses[0]
    # transformers and the toolkit agree on ids and logits
    vocabulary, line = load_vocabulary(output), parse_line(LINE).sequence
    ids = vocabulary.encode(line)
    spelled = LINE.replace("[TEXT]", "[Text]").replace("[SPEECH]", "[Speech]")
    assert AutoTokenizer.from_pretrained(output)(spelled)["input_ids"] == ids
    network = AutoModelForCausalLM.from_pretrained(output)
    with torch.no_grad():
        logits = network(torch.tensor([ids])).logits[0].log_softmax(-1)
    lm = LanguageModel.load(str(output), device="cpu")
    want = logits[:-1].gather(1, torch.tensor(ids[1:])[:, None]).sum()
    assert lm.score_ids(ids).log_likelihood == pytest.approx(want.item(), abs=1e-3)
    prompt = parse_line("[TEXT]the cat [SPEECH][Hu3]")
    continued = lm.generate(Prompt(prompt), "speech", Sampling(greedy=True, max_new_tokens=1))
    allowed = torch.tensor([*vocabulary.unit_ids.values(), *vocabulary.eos_ids])
    with torch.no_grad():
        last = network(torch.tensor([vocabulary.encode(prompt.sequence)])).logits[0, -1]
    best = int(allowed[last[allowed].argmax()])
    assert continued.ids == (() if best in vocabulary.eos_ids else (best,))


def test_a_sentencepiece_model_is_extended(tmp_path: Path) -> None:
    folder = tmp_path / "text"
    folder.mkdir()
    pieces = train_vocabulary(["the cat sat on the mat"] * 20, 300, hubert=0, pitch=0, style=0)
    (folder / "tokenizer.model").write_bytes(pieces)
    size = int(sentencepiece.SentencePieceProcessor(model_proto=pieces).vocab_size())
    write_causal_lm(folder, "llama", vocab_size=size)
    model = starting_model(options_of(folder, tmp_path / "out", add_units="base"), [])
    assert model.vocabulary.size == size + 501
    assert (tmp_path / "out" / "tokenizer.model").read_bytes().startswith(pieces)
    assert model.vocabulary.unit_counts == {Kind.HUBERT: 501, Kind.PITCH: 0, Kind.STYLE: 0}


@pytest.mark.parametrize("init", ["random", "mean"])
def test_init_sets_the_rows_of_added_tokens_alone(init: str, tmp_path: Path) -> None:
    folder = text_model(tmp_path / "text", "qwen2")
    before = AutoModelForCausalLM.from_pretrained(folder)
    known = len(AutoTokenizer.from_pretrained(folder))
    first, again = (
        starting_model(options_of(folder, tmp_path / name, init=init), []).network for name in ("a", "b")
    )
    for layer in ("get_input_embeddings", "get_output_embeddings"):
        rows, old = getattr(first, layer)().weight, getattr(before, layer)().weight
        assert torch.equal(rows[:known], old[:known])
        assert torch.equal(rows, getattr(again, layer)().weight)
        new, text = rows[known:], old[:known]
        if init == "mean":
            assert (new.mean(0) - text.mean(0)).abs().max() < 0.02 * text.std()
            assert 0 < new.std(0).mean() < 0.02 * text.std()
        else:
            assert new.std().item() == pytest.approx(first.config.initializer_range, rel=0.1)


def test_rope_theta(tmp_path: Path) -> None:
    folder = text_model(tmp_path / "text", "llama")
    model = starting_model(options_of(folder, tmp_path / "out", rope_theta=1e5), [])
    model.save()
    assert json.loads((tmp_path / "out/config.json").read_text())["rope_parameters"]["rope_theta"] == 1e5
    opt = text_model(tmp_path / "opt", "opt")
    with pytest.raises(
        CheckpointError, match=r"a opt has no single rotary position embedding; leave out --rope"
    ):
        starting_model(options_of(opt, tmp_path / "other", rope_theta=1e5), [])


def test_a_model_with_units_gets_no_other_ones(tmp_path: Path) -> None:
    """The trained model of nano has all units; a first training's result too."""
    model = starting_model(options_of(Path("nano"), tmp_path / "nano"), [])
    assert model.network.config.vocab_size == 2752
    assert model.dtype == torch.bfloat16
    folder = text_model(tmp_path / "text", "llama")
    once: StartingModel = starting_model(options_of(folder, tmp_path / "once", add_units="base"), [])
    once.save()
    twice = starting_model(options_of(tmp_path / "once", tmp_path / "twice"), [])
    assert twice.vocabulary.size == once.vocabulary.size + 164
    assert twice.vocabulary.marker_ids == once.vocabulary.marker_ids


def test_what_can_not_be_extended_is_refused(tmp_path: Path) -> None:
    folder = text_model(tmp_path / "text", "llama")
    with pytest.raises(CheckpointError, match="a context of 64 tokens; --context is 100"):
        starting_model(options_of(folder, tmp_path / "out", context=100), [])
    change_config(folder, model_type="speech_language_model")
    with pytest.raises(CheckpointError, match="folder of slamkit; `spiritlm models convert` makes one"):
        starting_model(options_of(folder, tmp_path / "out"), [])
    (folder / "tokenizer.json").unlink()
    change_config(folder, model_type="llama")
    with pytest.raises(CheckpointError, match=r"has no text tokenizer, tokenizer\.json or tokenizer\.model"):
        starting_model(options_of(folder, tmp_path / "out"), [])


def test_a_model_without_a_length_of_context_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "text"
    config = AutoConfig.for_model("bloom", vocab_size=709, hidden_size=16, n_layer=1, n_head=2)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes(encoded(byte_level("text-qwen")))
    with pytest.raises(CheckpointError, match="a bloom has no max_position_embeddings"):
        starting_model(options_of(folder, tmp_path / "out"), [])
