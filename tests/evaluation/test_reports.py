import pytest

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.records import RunDescription
from spiritlm_cli.evaluation.reports import compute_result


def record(name: str, won: float) -> dict[str, object]:
    return {"id": name, "set": None, "item": None, "groups": [], "by_mean": won, "by_sum": won}


def test_compute_result_counts_items_that_were_skipped() -> None:
    result = compute_result(RunDescription("pairs", "1"), [record("a", 1.0), {"id": "b", "error": "gone"}])
    assert result
    assert (result.items, result.skipped, result.row("overall").values["by_mean"].value) == (1, 1, 1.0)


def test_compute_result_of_what_it_does_not_know() -> None:
    with pytest.raises(ManifestError, match="no such task"):
        compute_result(RunDescription("chess", "1"), [{"id": "a"}])
    with pytest.raises(ManifestError, match="no item could be used"):
        compute_result(RunDescription("pairs", "1"), [{"id": "a", "error": "gone"}])
    empty = {"id": "a", "set": None, "corpus": None, "seconds": 0.0, "resynthesis_seconds": 0.0}
    with pytest.raises(ManifestError, match=r"resynthesis: the records have no result \(.*division by zero"):
        compute_result(RunDescription("resynthesis", "1"), [empty])
    with pytest.raises(ManifestError, match="a record lacks 'set'"):
        compute_result(RunDescription("pairs", "1"), [{"id": "a", "by_mean": 1.0}])
