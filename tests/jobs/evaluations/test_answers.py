from pathlib import Path

import pytest

from spiritlm_cli.errors import CheckpointError, ManifestError
from spiritlm_cli.jobs.evaluations.answers import load_prompts, prompt_facts, with_outputs, with_stops
from spiritlm_cli.jobs.evaluations.evaluation import BadItem
from spiritlm_cli.jobs.options import AsrOptions
from spiritlm_cli.language.few_shot import FewShot
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.language.tasks import Task
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.speech.tokenizer import SpeechTokenizer


def test_prompt_facts(tmp_path: Path) -> None:
    examples = tmp_path / "examples"
    assert prompt_facts(AsrOptions(data=tmp_path), None, "6") == {
        "prompts": "the item alone", "shots": 0, "context": "the model's", "tokens at most": "6"
    }  # fmt: skip
    options = AsrOptions(data=tmp_path, examples=examples, shuffle=True, seed=3, max_new_tokens=9)
    assert prompt_facts(options, "examples", "6") == {
        "prompts": "asr", "shots": 10, "examples of": "examples, drawn for each item, seed 3",
        "context": "1024, or the model's if that is less",
        "tokens at most": 9,
    }  # fmt: skip
    assert prompt_facts(AsrOptions(data=tmp_path, form="intent"), None, "6")["context"] == "the model's"
    with pytest.raises(CheckpointError, match="neither a task"):
        prompt_facts(AsrOptions(data=tmp_path, form="gone"), None, "6")


def test_load_prompts(tmp_path: Path) -> None:
    def tokenizer() -> SpeechTokenizer:
        raise AssertionError("nothing is tokenized")

    assert load_prompts(AsrOptions(data=tmp_path), "text", tokenizer) is None
    few_shot = load_prompts(AsrOptions(data=tmp_path, form="asr"), "text", tokenizer)
    assert few_shot
    assert few_shot.examples == []
    with pytest.raises(CheckpointError, match="tts: the answers of this form are not text"):
        load_prompts(AsrOptions(data=tmp_path, form="tts"), "text", tokenizer)


def test_with_stops() -> None:
    assert with_stops(Sampling(), None, 4) == Sampling(seed=4)
    assert with_stops(Sampling(), FewShot(Task.load("asr"), []), 0) == Sampling(
        stop=("<END>",), one_span=True
    )


def test_with_outputs() -> None:
    def find(name: str) -> str:
        if name == "b":
            raise ManifestError("none")
        return name

    bad = BadItem("c", "c.wav", ManifestError("bad"))
    first, second, third = with_outputs([Clip("a", "a.wav"), Clip("b", "b.wav"), bad], find)
    assert first == Clip("a", "a.wav")
    assert isinstance(second, BadItem)
    assert (second.id, str(second.error)) == ("b", "none")
    assert third is bad
