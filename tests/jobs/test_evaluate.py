import json
from dataclasses import replace
from pathlib import Path

import pytest

from spiritlm_cli.errors import ManifestError, ResumeError
from spiritlm_cli.jobs.evaluate import run
from spiritlm_cli.jobs.evaluate_report import EvaluateReportOptions, read_results
from spiritlm_cli.jobs.journal import Done, Journal
from spiritlm_cli.jobs.options import PairsOptions, WuggyOptions

WORDS = ("cat", "dog", "sun", "tree", "bird")


@pytest.fixture
def options(release_tree: Path, tmp_path: Path) -> PairsOptions:
    """Five pairs of text."""
    table = tmp_path / "pairs.tsv"
    rows = (f"{word}\tthe {word}\t{word} the {word}" for word in WORDS)
    table.write_text("\n".join(("id\tgood\tbad", *rows)) + "\n")
    return PairsOptions(path=table, model=str(release_tree), device="cpu", output=tmp_path / "items.jsonl")


def content(options: PairsOptions | WuggyOptions) -> bytes:
    assert options.output
    return options.output.read_bytes()


def test_items_file_begins_with_a_description(options: PairsOptions) -> None:
    summary = run(options)
    first, *records = map(json.loads, content(options).splitlines())
    assert (first["task"], first["items"], first["data"]) == ("pairs", 5, ["pairs.tsv"])
    assert [record["id"] for record in records] == list(WORDS)
    assert summary.result
    assert summary.result.description.to_line() == content(options).decode().splitlines()[0]


def test_resume_gives_the_same_bytes_and_result(
    options: PairsOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(options)
    expected = content(options)
    interrupted = replace(options, output=options.output.with_name("again.jsonl"))  # type: ignore[union-attr]

    def stop_at_the_third(record: dict[str, object]) -> str:
        if record["id"] == "sun":
            raise KeyboardInterrupt
        return json.dumps(record, ensure_ascii=False)

    with monkeypatch.context() as patched:
        patched.setattr("spiritlm_cli.jobs.evaluate.format_record", stop_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            run(interrupted)
    part = interrupted.output.with_name("again.jsonl.part")  # type: ignore[union-attr]
    assert len(part.read_bytes().splitlines()) == 3
    summary = run(replace(interrupted, resume=True))
    assert content(interrupted) == expected
    assert (summary.inputs, summary.result) == (5, whole.result)
    # a finished run is not run again
    assert run(replace(interrupted, resume=True)).result == whole.result


def test_resume_refuses_another_run(options: PairsOptions) -> None:
    run(options)
    with pytest.raises(ResumeError, match="other facts limit, ids, items"):
        run(replace(options, resume=True, limit=2))
    with pytest.raises(ResumeError, match="other facts marker, settings count_marker;"):
        run(replace(options, resume=True, count_marker=True))


def test_outputs_are_no_settings(options: PairsOptions, tmp_path: Path) -> None:
    (tmp_path / "gold.csv").write_text(
        "filename,id,voice,frequency,word,correct\na,1,x,1,cat,1\nb,1,x,,cad,0\n"
    )
    wuggy = WuggyOptions(path=tmp_path, text=True, model=options.model, device="cpu", output=options.output)
    run(wuggy)
    assert "submission" not in json.loads(content(wuggy).splitlines()[0])["settings"]


def test_shards_are_one_result(options: PairsOptions) -> None:
    whole = run(options).result
    assert options.output
    files = tuple(options.output.with_name(f"{shard}.jsonl") for shard in range(3))
    for shard, file in enumerate(files):
        run(replace(options, shard=(shard, 3), output=file))
    assert read_results(EvaluateReportOptions(runs=files)) == [whole]


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]\n1\n2\n", b"{}\n{}\n{}\n"])
def test_resume_refuses_a_damaged_part(
    options: PairsOptions, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    def stop_at_the_third(record: dict[str, object]) -> str:
        if record["id"] == "sun":
            raise KeyboardInterrupt
        return json.dumps(record, ensure_ascii=False)

    with monkeypatch.context() as patched:
        patched.setattr("spiritlm_cli.jobs.evaluate.format_record", stop_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            run(options)
    part = options.output.with_name("items.jsonl.part")  # type: ignore[union-attr]
    part.write_bytes(content)
    with pytest.raises(
        (ResumeError, ManifestError), match=r"items\.jsonl\.part: (has not|not an items file)"
    ):
        run(replace(options, resume=True))


def test_resume_refuses_a_finished_file_that_was_cut_off(options: PairsOptions) -> None:
    run(options)
    assert options.output
    options.output.write_bytes(b"".join(content(options).splitlines(keepends=True)[:-1]))
    with pytest.raises(ManifestError, match="4 records of 5 items"):
        run(replace(options, resume=True))


def test_a_shard_without_items(options: PairsOptions) -> None:
    assert options.output
    files = tuple(options.output.with_name(f"{shard}.jsonl") for shard in range(8))
    for shard, file in enumerate(files):
        run(replace(options, shard=(shard, 8), output=file))
    empty = run(replace(options, shard=(0, 8), output=files[0], resume=True))
    assert (empty.inputs, empty.result) == (0, None)
    (result,) = read_results(EvaluateReportOptions(runs=files))
    assert result.items == 5


def test_a_bad_item_ends_the_run_before_models_are_loaded(
    options: PairsOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    with options.path.open("a") as table:
        table.write("cat\tagain\tthe same\n")
    monkeypatch.delattr("spiritlm_cli.jobs.evaluate.computed")
    with pytest.raises(ManifestError, match="line 7: id 'cat' was there before"):
        run(options)


def test_a_second_item_of_one_id_can_be_skipped(options: PairsOptions) -> None:
    with options.path.open("a") as table:
        table.write("cat\tagain\tthe same\n")
    summary = run(replace(options, on_error="skip"))
    assert (summary.inputs, summary.failed) == (6, 1)


def test_items_of_one_id(options: PairsOptions) -> None:
    options.path.write_text("id\tgood\tbad\nline 3\ta\tb\n\ta\tb\n")
    with pytest.raises(ManifestError, match="two items 'line 3'"):
        run(options)


def test_no_items_file_writes_nothing_to_stdout(
    options: PairsOptions, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run(replace(options, output=None)).inputs == 5
    assert capfdbinary.readouterr().out == b""


def test_a_changed_file_is_read_again(options: PairsOptions) -> None:
    options = replace(options, output=None, limit=None)
    assert run(options).inputs == 5
    options.path.write_text("good\tbad\nthe cat\tcat the\n")
    assert run(options).inputs == 1


def test_limit_is_named(options: PairsOptions) -> None:
    result = run(replace(options, limit=2)).result
    assert result
    assert (result.items, result.description.facts["limit"]) == (2, "the first 2")


def test_an_interrupted_run_that_is_replaced_is_named(
    options: PairsOptions, caplog: pytest.LogCaptureFixture
) -> None:
    assert options.output
    part = options.output.with_name("items.jsonl.part")
    options.path.write_text(options.path.read_text() + "bad\tthe\t\n")
    skipping = replace(options, on_error="skip")
    run(skipping)
    expected = content(options)
    options.output.rename(part)
    journal = Journal(
        part.with_name(part.name + ".json"), "evaluate pairs", {}, None, Done(inputs=6, size=len(expected))
    )
    journal.save()
    run(skipping)
    assert "items.jsonl.part: what an interrupted run wrote of 6 inputs is replaced" in caplog.text
    assert content(options) == expected


def test_a_folder_that_is_not_there_is_named(options: PairsOptions, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no such folder"):
        run(replace(options, output=tmp_path / "gone/items.jsonl"))
