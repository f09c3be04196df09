from pathlib import Path

import pytest
from pair_fixtures import compare_scores

from spiritlm_cli.console import warn_once
from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.paired_files import find_folders, read_file_pairs, wav_files
from spiritlm_cli.evaluation.pairs import BadPair, Group, Pair


def touch(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / f"{name}.wav").touch()
    return folder


def names(path: Path) -> list[tuple[str, str]]:
    entries = read_file_pairs(path)
    assert all(isinstance(entry, Pair) for entry in entries)
    return [(entry.good[0].name, entry.bad[0].name) for entry in entries if isinstance(entry, Pair)]


def reasons(path: Path) -> dict[str, str]:
    entries = [entry for entry in read_file_pairs(path) if isinstance(entry, BadPair)]
    return {entry.id: str(entry.error).rpartition(": ")[2] for entry in entries}


def test_numbers_of_files_are_not_shared(tmp_path: Path) -> None:
    touch(tmp_path, "0_a_correct", "1_a_incorrect", "2_b_correct", "3_b_incorrect", ".hidden_correct")
    assert names(tmp_path) == [("0_a_correct", "1_a_incorrect"), ("2_b_correct", "3_b_incorrect")]
    first, second = read_file_pairs(tmp_path)
    assert isinstance(first, Pair)
    assert isinstance(second, Pair)
    assert (first.item, first.voice, first.groups) == ("a", None, ())
    scores = compare_scores(first, (-2.0, 1), (-3.0, 1)), compare_scores(second, (-5.0, 1), (-5.0, 1))
    assert sum(score.by_mean for score in scores) / 2 == 0.75


def test_numbers_of_pairs_are_shared(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "0_correct",
        "0_incorrect",
        "10_pos",
        "10_neg",
        "2_correct",
        "2_incorrect",
        "2_x_correct",
        "2_x_incorrect",
    )
    assert set(names(tmp_path)) == {
        ("0_correct", "0_incorrect"),
        ("10_pos", "10_neg"),
        ("2_correct", "2_incorrect"),
        ("2_x_correct", "2_x_incorrect"),
    }
    assert reasons(tmp_path) == {}


def test_names_without_sides_are_paired_by_number(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    warn_once.cache_clear()
    voice = touch(tmp_path / "sWUGGY" / "voice1", "10_a", "2_b", "11_c", "3_d")
    touch(tmp_path / "sWUGGY" / "voice2", "10_a", "11_c")
    touch(tmp_path / "__MACOSX" / "voice1", "1_a")
    first, second, third = read_file_pairs(tmp_path)
    assert caplog.text.count("paired two by two") == 1
    assert isinstance(second, Pair)
    assert (first.id, second.id, third.id) == ("voice1/2_b", "voice1/10_a", "voice2/10_a")
    assert second.bad[0].source == str(voice / "11_c.wav")
    assert (second.voice, second.item, second.groups) == ("voice1", "10_a", (Group("speaker", "voice1"),))
    blimp = touch(tmp_path / "sBLIMP", "0+x", "1+y")
    assert names(blimp) == [("0+x", "1+y")]


def test_files_without_counterpart_are_named(tmp_path: Path) -> None:
    folder = touch(
        tmp_path / "a",
        "0_a_correct",
        "2_b_correct",
        "3_b_incorrect",
        "other",
        "4_c_correct",
        "4_c_pos",
        "4_c_neg",
    )
    assert reasons(folder) == {
        "a/other": "its name does not end in _correct or _incorrect, as others do",
        "a/0_a_correct": "its counterpart is missing",
        "a/4_c_correct": "several files could be its counterpart",
        "a/4_c_pos": "several files could be its counterpart",
        "a/4_c_neg": "several files could be its counterpart",
    }
    numbered = touch(tmp_path / "b", "0_a", "1_b", "2_c", "x")
    assert reasons(numbered) == {
        "b/2_c": "its counterpart is missing, as the number of WAV files is odd",
        "b/x": "its name neither ends in _correct or _incorrect nor begins with a number",
    }
    with pytest.raises(ManifestError, match="no WAV files are there"):
        read_file_pairs(tmp_path / "c")


def test_find_folders_looks_two_levels_down(tmp_path: Path) -> None:
    deep = touch(tmp_path / "top" / "speaker", "a")
    assert find_folders(tmp_path, lambda folder: bool(wav_files(folder))) == [deep]
    touch(tmp_path / "top", "b")
    assert find_folders(tmp_path, lambda folder: bool(wav_files(folder))) == [tmp_path / "top"]
    assert find_folders(tmp_path / "no", lambda folder: True) == []
