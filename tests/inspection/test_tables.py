import re

import numpy as np
import pytest
from rich.console import Console

from spiritlm_cli.inspection.inspected import Inspected
from spiritlm_cli.inspection.statistics import SpanMeasures, UnitStatistics
from spiritlm_cli.inspection.tables import spans_table, streams_table
from spiritlm_cli.inspection.timeline import units_timeline
from spiritlm_cli.tokens.sequence import Sequence
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.tokens.units import Kind, Units


def printed(table, width=80):
    console = Console(width=width)
    with console.capture() as capture:
        console.print(table)
    return [line.rstrip() for line in capture.get().splitlines()]


def cells(lines):
    """label: cells of the other columns."""
    return {label: columns for line in lines for label, *columns in [re.split(" {2,}", line)]}


@pytest.fixture
def inspected():
    """One second: 25 frames with 4 runs of 3 units, 12 pitch units with 2 runs, and one style unit."""
    hubert = np.array([5] * 10 + [7] * 5 + [5] * 5 + [600] * 5)
    units = Units(hubert, np.array([3] * 8 + [4] * 4), np.array([9]))
    return Inspected("a", "a.wav", Sequence.of([merge_streams(units)]), units_timeline(units))


def test_streams_table(inspected):
    sizes = {Kind.HUBERT: 512, Kind.PITCH: 64, Kind.STYLE: 100}
    shown = cells(printed(streams_table(UnitStatistics.of(inspected, sizes))))
    assert shown[""] == ["Hu", "Pi", "St", "all"]
    assert shown["units"] == ["25", "12", "1", "38"]
    assert shown["runs"] == ["4", "2", "1", "7"]
    assert shown["runs/s"] == ["4.0", "2.0", "1.0", "7.0"]
    assert shown["different units"] == ["2/512", "2/64", "1/100"]
    assert shown["runs outside codebook"] == ["1", "0", "0"]
    # shares 1/2, 1/4, 1/4
    assert shown["entropy, bits"] == ["1.50", "1.00", "0.00"]
    assert shown["perplexity"] == ["2.8", "2.0", "1.0"]
    # 4 × 9, 2 × 6, log2(100)
    assert shown["bits/s, log2 codebook"] == ["36.0", "12.0", "6.6", "54.6"]
    assert shown["bits/s, entropy"] == ["6.0", "2.0", "0.0", "8.0"]
    assert shown["longest run, s"] == ["0.40", "0.64", "1.00"]
    assert shown["its unit"] == ["[Hu5]", "[Pi3]", "[St9]"]


def test_streams_table_of_an_unknown_codebook(inspected):
    shown = cells(printed(streams_table(UnitStatistics.of(inspected))))
    assert shown["different units"] == ["3", "2", "1"]
    assert shown["bits/s, log2 different"] == ["6.3", "2.0", "0.0", "8.3"]  # 4 × log2(3), 2 × log2(2), 0
    assert "runs outside codebook" not in shown


def test_spans_table_cuts_off_only_the_text():
    spans = [
        SpanMeasures("text", 0, 0, {}, "[bold]a\nlong[/bold] \x1b[31mtext, which has many words", 8),
        SpanMeasures("speech", 0, 3723.5, {Kind.HUBERT: 12345, Kind.STYLE: 1}, words=2),
    ]
    kinds = [Kind.HUBERT, Kind.STYLE]
    assert printed(spans_table(spans, kinds, 60), 60) == [
        "span    from s     to s      Hu  St  chars  words  text",
        "text      0.00     0.00                 51      8  [bold]a …",
        "speech    0.00  3723.50  12,345   1             2",
    ]
    assert printed(spans_table(spans, kinds, 120), 120)[1].endswith(
        "[bold]a long[/bold] \ufffd[31mtext, which has many words"
    )
