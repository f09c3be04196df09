from pathlib import Path

import pytest

from spiritlm_cli.errors import AudioError
from spiritlm_cli.jobs.inspect_batch import InspectBatchOptions, run


@pytest.fixture
def base(small: dict[str, str]) -> dict[str, str]:
    """The stand-in checkpoint, with phonetic units only."""
    return {**small, "units": "base"}


def test_run_compares_batches(base, short: Path, manifest: Path, capsys) -> None:
    check = run(InspectBatchOptions(audio=(str(short),), **base))
    assert (check.inputs, check.failed, check.report.equal) == (1, 0, True)
    assert check.report.counts["all together, with a long clip"].units > 10
    assert check.report.setting["dtype"] == "float32"
    assert check.report.setting["device"].startswith("cpu, threads: ")
    assert capsys.readouterr().out == ""


def test_run_fails_at_a_bad_clip(base, manifest: Path) -> None:
    with pytest.raises(AudioError, match=r"gone\.wav"):
        run(InspectBatchOptions(manifest=str(manifest), **base))


def test_run_skips_a_bad_clip(base, manifest: Path, tmp_path: Path) -> None:
    errors = tmp_path / "errors.tsv"
    options = InspectBatchOptions(manifest=str(manifest), on_error="skip", errors=errors, **base)
    check = run(options)
    assert (check.inputs, check.failed, check.report.clips) == (3, 1, 2)
    assert errors.read_text().startswith("bad\t")


def test_run_with_a_limit(base, manifest: Path) -> None:
    assert run(InspectBatchOptions(manifest=str(manifest), limit=1, **base)).inputs == 1
