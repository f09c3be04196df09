import re
from pathlib import Path

import pytest

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.metrics import ErrorCount
from spiritlm_cli.evaluation.records import RunDescription
from spiritlm_cli.evaluation.result import Published
from spiritlm_cli.evaluation.scored_text import ScoredText, reference_text, text_result, text_row
from spiritlm_cli.manifests.clip import Clip


def test_transcript() -> None:
    transcript = ScoredText.score("the cat", "a cat")
    assert transcript.words == ErrorCount(substitutions=1, deletions=0, insertions=0, length=2)
    assert transcript.to_json()["wer"] == 0.5
    assert transcript.to_json()["text"] == "a cat"


def test_text_row_and_text_result() -> None:
    # of 6 + 2 words one is wrong and one lost: 25 %
    records = [
        {"seconds": seconds, **ScoredText.score(reference, text).to_json()}
        for seconds, reference, text in (
            (2.0, "the cat sat on the mat", "the cat sat on the hat"),
            (0.5, "Mr. Hill", "Hill"),
        )
    ]
    row = text_row("resynthesis", records, (Published("Base", {"wer": 23.4}),))
    assert row.values["wer"].value == pytest.approx(0.25)
    # the resamples of two items have 2/12, 2/8 or 2/4 of their words wrong
    assert row.values["wer"].text(100) == "25.0 [16.7–50.0]"
    result = text_result(RunDescription("resynthesis", "1"), records, (row,))
    assert (result.items, result.counts) == (2, {"seconds": 2.5})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "a: its text is empty or missing"),
        ("", "a: its text is empty or missing"),
        ("...", "a: nothing is left of its text '...' after normalization"),
    ],
)
def test_reference_text_says_why_there_is_none(text: str | None, message: str) -> None:
    with pytest.raises(ManifestError, match=re.escape(message)):
        reference_text(Clip("a", Path("a.wav"), text=text))
