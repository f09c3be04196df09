from pathlib import Path

import pytest
from pair_fixtures import compare_scores

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.pairs import BadPair, Pair
from spiritlm_cli.evaluation.salmon import PARTS, read_salmon


def touch(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / f"sample_{name}.wav").touch()


def test_items_of_a_part(tmp_path: Path) -> None:
    scores = {"0_0": -1.0, "0_1": -1.0, "10_0": -2.0, "10_1": -3.0, "2_0": -4.0, "2_1": -3.0}
    part = tmp_path / "gender_consistency"
    touch(part, *scores)
    entries = read_salmon(tmp_path)
    assert [entry.id for entry in entries] == [f"gender_consistency/sample_{item}_0" for item in (0, 2, 10)]
    won = []
    for entry in entries:
        assert isinstance(entry, Pair)
        assert entry.set == "gender_consistency"
        good, bad = ((scores[c.name.removeprefix("sample_")], 1) for c in entry.candidates)
        won.append(compare_scores(entry, good, bad).by_mean)
    assert sum(won) / len(won) == 0.5
    assert [entry.id for entry in read_salmon(part)] == [entry.id for entry in entries]


def test_parts_are_in_the_order_of_the_benchmark(tmp_path: Path) -> None:
    for part in ("own", *reversed(PARTS)):
        touch(tmp_path / "salmon_benchmark" / part, "0_0", "0_1")
    assert [entry.set for entry in read_salmon(tmp_path)] == [*PARTS, "own"]


def test_more_than_two_samples(tmp_path: Path) -> None:
    touch(tmp_path, "0_0", "0_1", "0_2")
    (entry,) = read_salmon(tmp_path)
    assert isinstance(entry, Pair)
    assert [c.name for c in entry.good] == ["sample_0_0"]
    assert [c.name for c in entry.bad] == ["sample_0_1", "sample_0_2"]
    assert compare_scores(entry, (-2.0, 1), (-3.0, 1), (-1.0, 1)).by_mean == 0.5


def test_samples_that_cannot_be_used(tmp_path: Path) -> None:
    touch(tmp_path / "rir_consistency", "0_0", "1_1", "1_2", "2_0", "2_1", "x", "3_0", "03_0")
    entries = read_salmon(tmp_path)
    assert isinstance(entries[-1], Pair)
    bad = {entry.id: str(entry.error).rpartition(": ")[2] for entry in entries if isinstance(entry, BadPair)}
    assert bad == {
        "rir_consistency/sample_x": "its name is not of the form sample_ITEM_SAMPLE.wav",
        "rir_consistency/sample_0_0": "the wrong samples are missing",
        "rir_consistency/sample_1_1": "sample 0, the right one, is missing",
        "rir_consistency/sample_1_2": "sample 0, the right one, is missing",
        "rir_consistency/sample_03_0": "two samples of the item have the same number",
        "rir_consistency/sample_3_0": "two samples of the item have the same number",
    }
    with pytest.raises(ManifestError, match="no SALMon folder"):
        read_salmon(tmp_path / "none")
