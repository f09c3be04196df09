from dataclasses import replace
from pathlib import Path

import pytest

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.records import (
    Record,
    RunDescription,
    format_record,
    pool_shards,
    read_items,
)

RUN = RunDescription(
    "wuggy",
    "0.2.0",
    "nano",
    {"language model": "0123456789ab"},
    "expressive",
    ["sLM21"],
    3,
    "abcdefabcdef",
    {"text": False},
    {"marker": "given"},
)


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def test_read_items(tmp_path: Path) -> None:
    record = {"id": "a", "mean": -1.25, "name": "é"}
    path = write(tmp_path / "items.jsonl", RUN.to_line(), format_record(record))
    assert read_items(path) == (RUN, [record])


def test_description_in_words() -> None:
    assert (
        RUN.sentence()
        == "nano (language model 0123456789ab), expressive units; sLM21; marker given; spiritlm 0.2.0"
    )
    assert "; part 0 of 2; " in replace(RUN, shard=[0, 2]).sentence()
    assert RunDescription("toxicity", "0.2.0").sentence() == "spiritlm 0.2.0"


@pytest.mark.parametrize(
    "first",
    [
        "",
        "{}",
        "[1]",
        '{"evaluation": 1}',
        '{"evaluation": 2, "task": "x", "spiritlm": "1"}',
        "[" * 9999,
    ],
)
def test_a_file_without_description(tmp_path: Path, first: str) -> None:
    with pytest.raises(ManifestError, match="not an items file"):
        read_items(write(tmp_path / "items.jsonl", first))


@pytest.mark.parametrize("line", ["", "[]", "{}", '{"id": 1}', "[" * 9999, '{"id": "a"'])
def test_a_line_that_is_no_record(tmp_path: Path, line: str) -> None:
    with pytest.raises(ManifestError, match="line 3: not a record"):
        read_items(write(tmp_path / "items.jsonl", RUN.to_line(), '{"id": "a"}', line))


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
def test_a_number_that_is_not_finite(tmp_path: Path, number: str) -> None:
    with pytest.raises(ManifestError, match="line 2: not a record"):
        read_items(write(tmp_path / "items.jsonl", RUN.to_line(), f'{{"id": "a", "by_mean": {number}}}'))


@pytest.mark.parametrize("shard", [[], [0], [2, 2], [-1, 2], [0, 0], [0, 10**12], [0, 2, 3]])
def test_a_shard_that_there_is_not(tmp_path: Path, shard: list[int]) -> None:
    line = RUN.to_line().replace('"shard": null', f'"shard": {shard}')
    with pytest.raises(ManifestError, match="not an items file"):
        read_items(write(tmp_path / "items.jsonl", line))


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    run, record = replace(RUN, data=["caf\udce9"]), {"id": "caf\udce9"}
    path = write(tmp_path / "items.jsonl", run.to_line(), format_record(record))
    assert read_items(path) == (run, [record])


@pytest.mark.parametrize("records", [2, 4])
def test_pool_shards_of_a_file_with_too_few_or_too_many_records(records: int) -> None:
    with pytest.raises(ManifestError, match=f"a.jsonl: {records} records of 3 items"):
        pool_shards([("a.jsonl", RUN, [{"id": "a"}] * records)])


def test_format_record_refuses_what_is_not_finite() -> None:
    with pytest.raises(ManifestError, match="not a finite number"):
        format_record({"id": "a", "mean": float("nan")})


def test_pool_shards() -> None:
    first, second = replace(RUN, shard=[0, 2]), replace(RUN, shard=[1, 2])
    other = replace(RUN, task="blimp")
    records: list[Record] = [{"id": "a"}, {"id": "b"}, {"id": "c"}]
    runs = [("1", second, records[1:]), ("2", other, records), ("3", first, records[:1])]
    assert pool_shards(runs) == [(RUN, records), (other, records)]
    with pytest.raises(ManifestError, match="part 1/2 is missing"):
        pool_shards([("1", first, [])])
    with pytest.raises(ManifestError, match="part 0 of 2 is there twice"):
        pool_shards([("1", first, []), ("2", first, [])])
    # other settings are another run
    with pytest.raises(ManifestError, match="missing"):
        pool_shards([("1", first, []), ("2", replace(second, facts={"marker": "counted"}), [])])
