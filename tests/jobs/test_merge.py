"""Adapters that are merged into their base models."""

import json
from pathlib import Path

import pytest
import torch
from text_models import LINE, lines_options, text_model

from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.jobs.merge import merge
from spiritlm_cli.jobs.options.merge import MergeOptions
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.vocabulary_loading import load_vocabulary
from spiritlm_cli.third_party import hide_broken_torchaudio
from spiritlm_cli.tokens.reader import parse_line
from spiritlm_cli.training.language_model import train
from spiritlm_cli.training.starting_model import language_model_folder, starting_model

with hide_broken_torchaudio():
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer


@pytest.mark.parametrize("kind", ["llama", "qwen2", "opt"])
def test_merged_folder_has_the_logits_of_the_adapter(kind: str, tmp_path: Path) -> None:
    folder, adapter = text_model(tmp_path / "text", kind), tmp_path / "adapter"
    train(lines_options(folder, adapter, lora=2))
    output = merge(MergeOptions(adapter=adapter, output=tmp_path / "merged"))
    ids = load_vocabulary(output).encode(parse_line(LINE).sequence)
    network = AutoModelForCausalLM.from_pretrained(output)
    base = AutoModelForCausalLM.from_pretrained(folder)
    base.resize_token_embeddings(network.config.vocab_size, mean_resizing=False)
    with torch.no_grad():
        want = PeftModel.from_pretrained(base, adapter)(torch.tensor([ids])).logits
        got = network(torch.tensor([ids])).logits
    assert (got - want).abs().max() < 1e-4
    spelled = LINE.replace("[TEXT]", "[Text]").replace("[SPEECH]", "[Speech]")
    assert AutoTokenizer.from_pretrained(output)(spelled)["input_ids"] == ids
    scores = want[0, :-1].log_softmax(-1).gather(1, torch.tensor(ids[1:])[:, None])
    lm = LanguageModel.load(str(output), device="cpu")
    assert lm.score_ids(ids).log_likelihood == pytest.approx(scores.sum().item(), abs=1e-3)
    with pytest.raises(CheckpointError, match="merged: is not an empty folder"):
        merge(MergeOptions(adapter=adapter, output=tmp_path / "merged"))


def test_the_base_of_the_rotary_embedding_is_kept(tmp_path: Path) -> None:
    folder, adapter = text_model(tmp_path / "text", "llama"), tmp_path / "adapter"
    starting_model(lines_options(folder, adapter, lora=1, rope_theta=1e5), []).save()
    folder.rename(tmp_path / "moved")
    with pytest.raises(CheckpointError, match=r"text: no such folder.*; --from names the base model"):
        merge(MergeOptions(adapter=adapter, output=tmp_path / "merged"))
    merge(MergeOptions(adapter=adapter, output=tmp_path / "merged", base=str(tmp_path / "moved")))
    assert json.loads((tmp_path / "merged/config.json").read_text())["rope_parameters"]["rope_theta"] == 1e5


def test_an_adapter_without_a_tokenizer_gets_that_of_its_base(tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    starting_model(lines_options(Path("nano"), adapter, lora=1), []).save()
    for name in ("tokenizer.model", "config.json"):
        (adapter / name).unlink()
    assert json.loads((adapter / "adapter_config.json").read_text())["base_model_name_or_path"] == "nano"
    output = merge(MergeOptions(adapter=adapter, output=tmp_path / "merged"))
    assert load_vocabulary(output).size == load_vocabulary(language_model_folder("nano")).size
