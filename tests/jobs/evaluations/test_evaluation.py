from pathlib import Path

from spiritlm_cli.checkpoints.checkpoint import NANO
from spiritlm_cli.jobs.evaluations.pairs import WuggyEvaluation
from spiritlm_cli.jobs.options import WuggyOptions


def test_describe(tmp_path: Path) -> None:
    options = WuggyOptions(
        path=tmp_path, text=True, lm=str(NANO), shard=(1, 2), on_error="skip", device="cpu"
    )
    description = WuggyEvaluation(options).describe("abcdefg")
    assert (description.task, description.model, description.units) == ("wuggy", "nano", "expressive")
    assert len(description.parts["language model"]) == 12
    assert (description.items, description.shard, description.facts["read as"]) == (7, [1, 2], "text")
    assert description.settings["text"] is True
    # paths without folders, which differ between machines
    assert description.settings["lm"] == NANO.name
    # what changes no score is no part of it
    assert description.data == [tmp_path.name]
    assert description.ids != WuggyEvaluation(options).describe("abcdefh").ids
    assert not {"path", "shard", "on_error", "device", "output", "ray"} & set(description.settings)
