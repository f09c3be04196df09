from pathlib import Path

import pytest

from spiritlm_cli.errors import ManifestError, OptionError
from spiritlm_cli.jobs.evaluate import run
from spiritlm_cli.jobs.options import BlimpOptions, PairsOptions


def test_run(release_tree: Path, tmp_path: Path) -> None:
    table = tmp_path / "pairs.tsv"
    table.write_text("id\tgood\tbad\np1\tthe cat\tthe the\np2\ta\t\n")
    evaluation = run(PairsOptions(path=table, model=str(release_tree), device="cpu", on_error="skip"))
    assert (evaluation.inputs, evaluation.failed) == (2, 1)
    assert evaluation.result
    assert (evaluation.result.task, evaluation.result.counts, evaluation.result.skipped) == (
        "pairs",
        {"pairs": 1},
        1,
    )
    with pytest.raises(ManifestError, match="line 3: bad is empty"):
        run(PairsOptions(path=table, model=str(release_tree), device="cpu"))


def test_run_excludes_a_submission_of_jsonl(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").touch()
    with pytest.raises(OptionError, match="JSONL") as error:
        run(BlimpOptions(path=tmp_path, submission=tmp_path / "out"))
    assert error.value.option == "--submission"
