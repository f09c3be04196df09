"""`evaluate perplexity` of token lines, text and clips."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from spiritlm_cli.errors import OptionError, TokenError
from spiritlm_cli.jobs.evaluate import run
from spiritlm_cli.jobs.options.evaluate_perplexity import PerplexityOptions
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.tokens.reader import parse_line, parse_sequence


def options(release: Path, **values: Any) -> PerplexityOptions:
    return PerplexityOptions(model=str(release), device="cpu", **values)


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()[1:]]


@pytest.fixture(scope="module")
def lm(small_release: Path) -> LanguageModel:
    return LanguageModel.load(str(small_release), device="cpu")


def test_token_lines(small_release: Path, lm: LanguageModel, tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_text("a\t[TEXT]the cat\n\n[SPEECH][St1][Pi2][Hu3][Hu4]\nb\t[TEXT]a[SPEECH][Hu7]\n")
    summary = run(options(small_release, sources=(str(path),), output=tmp_path / "items.jsonl"))
    first, second, third = records(tmp_path / "items.jsonl")
    assert [first["id"], second["id"], third["id"]] == ["a", "lines.txt:3", "b"]
    expected = lm.score(parse_sequence("the cat"), parse_line("[TEXT]"))
    assert first["tokens"] == {"text": expected.tokens}
    assert first["log_likelihood"]["text"] == pytest.approx(expected.log_likelihood, abs=1e-4)
    assert (first["bytes"], first["words"], first["seconds"]) == (7, 2, None)
    assert second["tokens"] == {"St": 1, "Pi": 1, "Hu": 2}
    assert third["tokens"] == {"text": 1, "Hu": 1}
    assert summary.result
    total = sum(-sum(one["log_likelihood"].values()) for one in (first, second, third))
    count = sum(sum(one["tokens"].values()) for one in (first, second, third))
    assert summary.result.row("all tokens").values["perplexity"].value == pytest.approx(
        math.exp(total / count)
    )


def test_text_is_verbatim(small_release: Path, lm: LanguageModel, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("the\tcat [Hu3] \\n\n")
    run(options(small_release, sources=(str(path),), text=True, output=tmp_path / "items.jsonl"))
    (record,) = records(tmp_path / "items.jsonl")
    assert record["tokens"] == {"text": len(lm.vocabulary.encode_text("the\tcat [Hu3] \\n"))}
    assert record["bytes"] == len("the\tcat [Hu3] \\n")


def test_clips_have_seconds(small_release: Path, recording_file: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "clips.tsv"
    manifest.write_text(f"id\taudio\tstart\tend\na\t{recording_file}\t0\t1\nb\t{recording_file}\t1\t2\n")
    summary = run(options(small_release, manifest=manifest, output=tmp_path / "items.jsonl"))
    found = records(tmp_path / "items.jsonl")
    assert [record["seconds"] for record in found] == [1.0, 1.0]
    assert summary.result
    row = summary.result.row("all tokens")
    nats = -sum(sum(record["log_likelihood"].values()) for record in found)
    assert row.values["bits_per_second"].value == pytest.approx(nats / math.log(2) / 2)
    assert set(summary.result.description.parts) == {"tokenizer", "language model"}


def test_a_long_line_is_scored_in_windows(small_release: Path, lm: LanguageModel, tmp_path: Path) -> None:
    units = "".join(f"[Hu{number % 500}]" for number in range(lm.context_length + 10))
    path = tmp_path / "lines.txt"
    path.write_text(f"[SPEECH]{units}\n[TEXT]the cat\n")
    run(options(small_release, sources=(str(path),), output=tmp_path / "items.jsonl"))
    long, short = records(tmp_path / "items.jsonl")
    assert long["tokens"] == {"Hu": lm.context_length + 10}
    expected = lm.score(parse_sequence("the cat"), parse_line("[TEXT]"))
    assert short["log_likelihood"]["text"] == pytest.approx(expected.log_likelihood, abs=1e-4)


@pytest.mark.parametrize(
    ("line", "message"),
    [("a\t", "nothing to score"), ("[Hu01]", "is not a unit"), ("[Hu9999]", "the model has")],
)
def test_a_line_that_can_not_be_used(line: str, message: str, small_release: Path, tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_text(f"{line}\n[TEXT]a\n")
    with pytest.raises(TokenError, match=message):
        run(options(small_release, sources=(str(path),)))
    assert run(options(small_release, sources=(str(path),), on_error="skip")).failed == 1


@pytest.mark.parametrize(
    "values", [{}, {"sources": ("a",), "manifest": Path("b")}, {"manifest": Path("b"), "text": True}]
)
def test_check(values: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        PerplexityOptions(**values).check()
