import json
from pathlib import Path
from typing import Any

import pytest
from stsp_fixtures import FIRST_ID, write_lines, write_stsp

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.stsp_data import (
    BadRecord,
    StspRecord,
    balance,
    data_root,
    find_sets,
    read_set,
    read_shots,
)

LINE = {"id": 1, "emotion": "angry", "wav_path": "a.wav", "asr": "some text"}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory, recording_file: Path) -> Path:
    return write_stsp(tmp_path_factory.mktemp("stsp"), recording_file)


def read_one(folder: Path, **fields: Any) -> StspRecord | BadRecord:
    path = write_lines(folder / "set.jsonl", [LINE | fields])
    (record,) = read_set("set", path)
    return record


def test_find_sets_of_the_release(release: Path) -> None:
    folder = release / "manifest"
    assert find_sets(release, "test", "text") == {"expresso_asr": folder / "expresso/expresso_asr.test.jsonl"}
    assert find_sets(release, "test", "speech") == {
        "emov": folder / "emov/emov.test.jsonl",
        "expresso_read": folder / "expresso/expresso_read.test.jsonl",
    }
    with pytest.raises(ManifestError, match=r"has no manifest/emov/emov\.dev\.jsonl or .*give the unpacked"):
        find_sets(release, "dev", "speech")


def test_find_sets_without_suffix(tmp_path: Path) -> None:
    """As the manifests of Expresso's train split in the release."""
    path = write_lines(tmp_path / "manifest/expresso/expresso_asr.train", [LINE])
    assert find_sets(tmp_path, "train", "text") == {"expresso_asr": path}


def test_find_sets_of_a_manifest(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "made.jsonl", [LINE])
    assert find_sets(path, "test", "text") == {"made": path}


def test_read_set(release: Path) -> None:
    records = list(read_set("emov", find_sets(release, "test", "speech")["emov"]))
    assert all(isinstance(record, StspRecord) for record in records)
    first = records[0]
    assert isinstance(first, StspRecord)
    assert (first.id, first.label(), first.label("emotion")) == (str(FIRST_ID), "positive", "happy")
    assert (first.text, first.audio) == ("it is happy here", release / "data" / "emov/0.wav")
    assert first.audio.is_file()


def test_data_root(release: Path, tmp_path: Path) -> None:
    assert data_root(release / "manifest" / "few_shot" / "s2s.jsonl") == release / "data"
    assert data_root(tmp_path / "made.jsonl") == tmp_path


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"id": None}, "id is None, expected a whole number or a text"),
        ({"id": True}, "id is True"),
        ({"id": 1.5}, r"id is 1\.5"),
        ({"id": "a\tb"}, "id can't be empty or hold a tab"),
    ],
)
def test_read_set_refuses_ids(tmp_path: Path, fields: dict[str, Any], message: str) -> None:
    record = read_one(tmp_path, **fields)
    assert isinstance(record, BadRecord)
    with pytest.raises(ManifestError, match=rf"set\.jsonl: line 1: {message}"):
        raise record.error


def test_read_set_refuses_lines(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    line = json.dumps(LINE)
    path.write_text(f"{line}\n\nnot JSON\n[1]\n{line}\n")
    good, *bad = read_set("set", path)
    assert isinstance(good, StspRecord)
    assert [record.source for record in bad] == [f"{path}: line {line}" for line in (3, 4, 5)]
    assert [record.id for record in bad] == [f"set/line {line}" for line in (3, 4, 5)]
    assert "duplicate id 1" in str(bad[2].error)  # type: ignore[union-attr]


@pytest.mark.parametrize("path", ["../other.wav", "/etc/passwd", "a/../../b.wav", "", None, 3, "a\0b"])
def test_audio_stays_in_the_folder(tmp_path: Path, path: object) -> None:
    record = read_one(tmp_path, wav_path=path)
    assert isinstance(record, StspRecord)
    with pytest.raises(ManifestError, match=r"wav_path is .*, expected the path of a file below"):
        _ = record.audio


def test_label_and_text_that_are_missing(tmp_path: Path) -> None:
    record = read_one(tmp_path, emotion="bored", asr=" ")
    assert isinstance(record, StspRecord)
    with pytest.raises(ManifestError, match="has no sentiment or emotion"):
        record.label()
    with pytest.raises(ManifestError, match="asr is not text"):
        _ = record.text
    assert read_one(tmp_path, emotion="bored", sentiment="neutral").label() == "neutral"  # type: ignore[union-attr]


def test_balance(tmp_path: Path) -> None:
    emotions = ["happy"] * 3 + ["angry"] * 2 + ["default"]
    path = write_lines(
        tmp_path / "set.jsonl",
        [LINE | {"id": index, "emotion": emotion} for index, emotion in enumerate(emotions)],
    )
    labels = [record.label() for record in balance(read_set("set", path)) if isinstance(record, StspRecord)]
    assert labels == ["negative", "neutral", "positive", "negative", "positive", "positive"]


def test_read_shots(release: Path) -> None:
    folder = release / "manifest" / "few_shot"
    shots = read_shots(folder / "s2t.jsonl", "s2t", release / "data")
    assert [(shot.line, shot.sentiment) for shot in shots] == [
        (1, "positive"),
        (2, "negative"),
        (3, "neutral"),
    ]
    assert (shots[0].prompt, shots[0].generation) == (release / "data/emov/0.wav", "some text")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"sentiment": "bored"}, "sentiment is 'bored'"),
        ({"prompt": "../a.wav"}, "prompt is '../a.wav', expected"),
        ({"generation": ""}, "generation is not text"),
    ],
)
def test_read_shots_refuses(tmp_path: Path, fields: dict[str, Any], message: str) -> None:
    line = {"sentiment": "neutral", "prompt": "a.wav", "generation": "text"} | fields
    path = write_lines(tmp_path / "s2t.jsonl", [line])
    with pytest.raises(ManifestError, match=message):
        read_shots(path, "s2t", tmp_path)
