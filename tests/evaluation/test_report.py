import json

import pytest
from rich.console import Console

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.metrics import ErrorCount
from spiritlm_cli.evaluation.report import Published, Report, Row, ScoredText


def report() -> Report:
    # of 6 + 2 words one is wrong and one lost: 25 %
    transcripts = [
        ScoredText.score("the cat sat on the mat", "the cat sat on the hat"),
        ScoredText.score("Mr. Hill", "Hill"),
    ]
    row = Row.of("resynthesis", transcripts, (Published("Base", "WER", 23.4),))
    return Report("resynthesis", len(transcripts), 12.34, (row,), "spoken")


def test_transcript() -> None:
    transcript = ScoredText.score("the cat", "a cat")
    assert transcript.words == ErrorCount(substitutions=1, deletions=0, insertions=0, length=2)
    assert transcript.to_json()["wer"] == 0.5
    assert transcript.to_json()["text"] == "a cat"


def test_json_can_be_parsed_and_has_the_numbers() -> None:
    parsed = json.loads(json.dumps(report().to_json(), allow_nan=False))
    assert (parsed["task"], parsed["items"], parsed["seconds"]) == ("resynthesis", 2, 12.34)
    (row,) = parsed["rows"]
    assert row["wer"]["rate"] == pytest.approx(0.25)
    assert (row["wer"]["errors"], row["wer"]["length"]) == (2, 8)
    assert row["wer"]["low"] <= row["wer"]["rate"] <= row["wer"]["high"]
    assert row["published"] == [{"what": "Base", "metric": "WER", "percent": 23.4}]


def test_table_says_what_a_person_needs() -> None:
    console = Console(width=80)
    with console.capture() as capture:
        console.print(report().table())
    printed = capture.get()
    # the resamples of two items have 2/12, 2/8 or 2/4 of their words wrong
    for text in ("resynthesis: 2 items, 12.3 s", "25.0 [16.7–50.0]", "on other data", "Normalizer: spoken"):
        assert text in printed
    published = next(line for line in printed.splitlines() if "published: Base" in line)
    assert "23.4" in published


def test_no_clips_no_report() -> None:
    with pytest.raises(ManifestError, match="no clip was scored"):
        Row.of("resynthesis", [])
