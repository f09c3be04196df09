import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.evaluate import run
from spiritlm_cli.jobs.options import IntentOptions

LABELS = ("activate,lights,bedroom", "increase,volume,none")


@pytest.fixture(scope="module")
def commands(recording_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fluent Speech Commands of four commands for training and two for the test, of half a second each."""
    root = tmp_path_factory.mktemp("fsc")
    samples, rate = soundfile.read(recording_file, dtype="int16")
    (root / "data").mkdir()
    for split, speakers in (("train", "abab"), ("test", "cb")):
        rows = [",path,speakerId,transcription,action,object,location"]
        for number, speaker in enumerate(speakers):
            path = f"wavs/speakers/{speaker}/{split}{number}.wav"
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(root / path, samples[number * rate : number * rate + rate // 2], rate)
            rows.append(f"{number},{path},{speaker},words,{LABELS[number % 2]}")
        (root / f"data/{split}_data.csv").write_text("\n".join(rows) + "\n")
    return root


def test_intent(commands: Path, small_release: Path, tmp_path: Path) -> None:
    options = IntentOptions(
        path=commands, model=str(small_release), device="cpu", shots=2, likelihood=True, balanced=True,
        output=tmp_path / "items.jsonl",
    )  # fmt: skip
    result = run(options).result
    assert result
    assert [metric.name for metric in result.metrics] == ["generated", "by_sum", "by_mean"]
    description, *records = map(json.loads, (tmp_path / "items.jsonl").read_text().splitlines())
    assert description["facts"]["examples of"] == "train in all labels in turn (seed 0), the first ones"
    assert [record["label"] for record in records] == ["activate lights bedroom", "increase volume none"]
    assert set(records[0]["scores"]) == {"activate lights bedroom", "increase volume none"}
    # never of the speaker b, who speaks in both splits
    assert all("/a/" in name for name in records[1]["examples"])
    part: dict[str, Any] = {"output": tmp_path / "1.jsonl", "shard": (1, 2), "batch_size": 1}
    run(replace(options, **part))
    assert json.loads((tmp_path / "1.jsonl").read_text().splitlines()[1]) == records[1]
    with pytest.raises(OptionError, match="train needs --examples"):
        run(replace(options, split="train", output=None))


def test_intent_of_answers(commands: Path, tmp_path: Path) -> None:
    answers = tmp_path / "answers.csv"
    answers.write_text(
        "id,text\nwavs/speakers/c/test0,activate lights bedroom\nwavs/speakers/b/test1,increase volume\n"
    )
    for drop_none, share in ((False, 0.5), (True, 1.0)):
        result = run(IntentOptions(path=commands, hypotheses=answers, drop_none=drop_none)).result
        assert result
        assert result.row("intent").values["generated"].value == share
        assert result.description.facts["empty slots"] == ("left out" if drop_none else "kept")
