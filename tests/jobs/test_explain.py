from pathlib import Path

import numpy as np
import pytest

from spiritlm_cli.interleaving.interleave import Utterance
from spiritlm_cli.interleaving.spans import Mode, SpanOptions
from spiritlm_cli.jobs.explain import spans_table
from spiritlm_cli.manifests.clip import Alignment, Word
from spiritlm_cli.tokens.units import Units


@pytest.fixture
def utterance() -> Utterance:
    words = tuple(
        Word(word, n * 0.4, (n + 1) * 0.4) for n, word in enumerate(["one", "two", "three\x1b", "four"])
    )
    units = Units(np.arange(40, dtype=np.int64))
    return Utterance("a\x1b", units, "one two three\x1b four", Alignment(words))


def test_spans_table_has_a_row_for_each_span(utterance: Utterance, tmp_path: Path) -> None:
    spans = SpanOptions(Mode("interleave"), (1, 1), (1, 1), keep_repeats=True)
    table = spans_table(utterance, spans, seed=1, copies=2)
    rows = [line.split() for line in table.splitlines()]
    assert [row for row in rows if row and row[0].startswith("a?")] == [["a?#0"], ["a?#1"]]
    spans_rows = [row for row in rows if row and row[0] in ("text", "speech")]
    assert len(spans_rows) == 8
    assert {row[4] for row in spans_rows if row[0] == "speech"} == {"10"}
    assert "\x1b" not in table
