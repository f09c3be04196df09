from pathlib import Path

import pytest

from spiritlm_cli.errors import CheckpointError, ManifestError
from spiritlm_cli.jobs.evaluations.answers import prompt_facts, with_outputs, with_stops
from spiritlm_cli.jobs.evaluations.evaluation import BadItem
from spiritlm_cli.jobs.options import AsrOptions
from spiritlm_cli.language.few_shot import FewShot
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.language.tasks import Task
from spiritlm_cli.manifests.clip import Clip


def test_prompt_facts(tmp_path: Path) -> None:
    examples = tmp_path / "examples"
    assert prompt_facts(AsrOptions(data=tmp_path), None, "6") == {
        "prompts": "the item alone", "shots": 0, "context": "the model's", "tokens at most": "6"
    }  # fmt: skip
    options = AsrOptions(data=tmp_path, examples=examples, shuffle=True, seed=3, max_new_tokens=9)
    assert prompt_facts(options, "examples", "6") == {
        "prompts": "asr", "shots": 10, "examples of": "examples, drawn for each item, seed 3", "context": 1024,
        "tokens at most": 9,
    }  # fmt: skip
    assert prompt_facts(AsrOptions(data=tmp_path, form="intent"), None, "6")["context"] == "the model's"
    with pytest.raises(CheckpointError, match="neither a task"):
        prompt_facts(AsrOptions(data=tmp_path, form="gone"), None, "6")


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
