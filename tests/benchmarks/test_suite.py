from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from spiritlm_cli.evaluation.toxicity import ToxicPrompt, ToxicWords, read_prompts

SUITE = Path(__file__).parents[2] / "benchmarks" / "suite"
Script = Callable[[str], ModuleType]


@pytest.fixture(autouse=True)
def path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SUITE))


def test_every_text_has_a_clip_of_its_own(script: Script) -> None:
    ids = [item.id for item in script("suite/spoken.py").spoken()]
    assert len(ids) == len(set(ids))
    assert sorted(ids) == sorted(clip.stem for clip in (SUITE / "clips").iterdir())


def test_texts_have_the_columns_that_are_read(script: Script) -> None:
    spoken = script("suite/spoken.py")
    for name in ("words", "sentences", "stories", "commands", "sentiments", "questions"):
        rows = spoken.read_texts(name)
        assert rows, name
        assert all(value and value == value.strip() for row in rows for value in row.values()), name


def test_sets_of_text_are_read_by_the_package(script: Script, tmp_path: Path) -> None:
    text_sets = script("suite/text_sets.py")
    text_sets.make_mmlu(tmp_path / "mmlu")
    assert len((tmp_path / "mmlu" / "dev" / "home_dev.csv").read_text().splitlines()) == 5
    text_sets.make_toxicity(tmp_path / "toxicity", SUITE / "clips")
    prompts = list(read_prompts(tmp_path / "toxicity" / "sentences.csv"))
    assert {prompt.axis for prompt in prompts if isinstance(prompt, ToxicPrompt)} == set(text_sets._GROUPS)
    assert len(ToxicWords.read(tmp_path / "toxicity" / "words.txt")) == len(text_sets._TOXIC)


def test_runs_have_names_of_their_own_and_are_of_tasks(script: Script) -> None:
    from spiritlm_cli.jobs.evaluate import _EVALUATIONS

    runs = script("suite/run.py")._ALL
    assert len({run.name for run in runs}) == len(runs)
    values = {"data": "D", "judges": "J", "asr": "A"}
    for run in runs:
        assert run.command(values)[0] in _EVALUATIONS
