"""What `inspect` prints: of an input its tables and its token line in colors, and of many their statistics."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from rich.console import Console
from rich.segment import Segment, Segments
from rich.style import Style
from rich.table import Table
from rich.text import Text

from spiritlm_cli.console import counted
from spiritlm_cli.inspection.bars import Bar, chart, grid, histogram_bars
from spiritlm_cli.inspection.codebooks import NO_CODEBOOKS, Codebooks
from spiritlm_cli.inspection.inspected import Inspected
from spiritlm_cli.inspection.statistics import UnitStatistics, measure_spans
from spiritlm_cli.inspection.streams import FRAME_MS, StreamStatistics
from spiritlm_cli.inspection.tables import STYLES, spans_table, streams_table
from spiritlm_cli.inspection.wrapping import REPLACEMENT, count_replaced, printable_line, wrap_sequence
from spiritlm_cli.printing import print_table, print_text
from spiritlm_cli.tokens.units import Kind
from spiritlm_cli.tokens.writer import format_sequence

# Rows of one token line on a terminal.
MAX_ROWS = 200
_MODALITIES = {"speech": "speech", "text": "text", "speech+text": "speech and text", "": "empty"}
# How many units and n-grams are listed.
TOP = {Kind.HUBERT: 10, Kind.PITCH: 5, Kind.STYLE: 5}


def print_inspected(inspected: Inspected, console: Console, codebooks: Codebooks = NO_CODEBOOKS) -> None:
    """Print the figures of an input, a table of its spans, and its token line.

    The token line can be copied from a terminal: without line ends it is the line again. On a terminal its rows are
    wrapped and colored, and those after `MAX_ROWS` are left out, with a note; elsewhere it is one line.
    codebooks: sizes of the codebooks of the model.
    """
    statistics = UnitStatistics.of(inspected, codebooks)
    source = "stdin" if inspected.source == "-" else printable_line(inspected.source)
    print_text(Text.assemble((printable_line(inspected.id), "bold"), "  ", (source, "dim")), console)
    print_text(Text(_describe(statistics)), console)
    if inspected.text is not None:
        print_text(Text.assemble(("transcript: ", "dim"), printable_line(inspected.text)), console)
    if statistics.streams:
        _print_table(streams_table(statistics), console)
    if inspected.sequence.spans:
        spans = measure_spans(inspected)
        _print_table(spans_table(spans, list(statistics.streams), console.width), console)
        console.print()
        _print_sequence(inspected, console)
    shown = (inspected.id, inspected.source, inspected.text or "", format_sequence(inspected.sequence))
    if replaced := sum(map(count_replaced, shown)):
        what = f"{counted(replaced, 'character')} that could control the terminal"
        print_text(Text(f"{what}: shown as {REPLACEMENT}; see --json", "dim"), console)
    console.print()


def inspected_to_json(inspected: Inspected, codebooks: Codebooks = NO_CODEBOOKS) -> dict[str, Any]:
    """Return an input as an object for `json.dumps`, without its sounds. Times are in seconds.

    lanes: for each stream, a list of [unit id, start, end]. spans, statistics: as in `print_inspected`.
    """
    return {
        "id": inspected.id,
        "source": inspected.source,
        "seconds": round(inspected.timeline.seconds, 3),
        "timing": "predicted" if inspected.timeline.predicted else "exact",
        "text": inspected.text,
        "words": [
            {
                "word": word.word,
                "start": round(word.start, 3),
                "end": round(word.end, 3),
                "confidence": word.confidence,
            }
            for word in inspected.words
        ],
        "spans": [
            {
                "modality": span.modality,
                "start": round(span.start, 3),
                "end": round(span.end, 3),
                "units": {kind.value: span.units[kind] for kind in Kind if kind in span.units},
                "text": span.text,
                "words": span.words,
            }
            for span in measure_spans(inspected)
        ],
        "lanes": {
            lane.kind.value: [
                [unit_id, round(start, 3), round(end, 3)]
                for unit_id, start, end in zip(
                    lane.ids.tolist(), lane.starts.tolist(), lane.ends.tolist(), strict=True
                )
            ]
            for lane in inspected.timeline.lanes
        },
        "statistics": UnitStatistics.of(inspected, codebooks).summary(),
        "line": format_sequence(inspected.sequence),
    }


def _describe(statistics: UnitStatistics) -> str:
    """Speech, silence and text of one input, in one line."""
    parts = []
    if statistics.spans["speech"]:
        durations = "predicted" if statistics.predicted else "exact"
        parts.append(
            f"{statistics.seconds:.2f} s of speech (durations {durations}), silence {_silence(statistics)}"
        )
    if statistics.spans["text"]:
        parts.append(f"{counted(statistics.words, 'word')} of text")
    return "; ".join(parts) or "empty: no speech and no text"


def _print_table(table: Table, console: Console) -> None:
    console.print()
    print_table(table, console)


def _print_sequence(inspected: Inspected, console: Console) -> None:
    rows = list(wrap_sequence(inspected.sequence, console.width if console.is_terminal else None))
    shown = rows[:MAX_ROWS] if console.is_terminal else rows
    styles = {kind: Style.parse(style) for kind, style in STYLES.items()}
    segments: list[Segment] = []
    for row in shown:
        segments += (Segment(piece.text, styles[piece.kind]) for piece in row)
        segments.append(Segment.line())
    # Not as a `Text`, which takes minutes for an hour of speech.
    console.print(Segments(segments), soft_wrap=True, end="")
    if len(shown) < len(rows):
        note = f"… {len(rows) - len(shown):,} of {len(rows):,} rows are not shown; to see all, write to a pipe: | less"
        print_text(Text(note, "dim"), console)


def print_statistics(statistics: UnitStatistics, console: Console) -> None:
    """Print the figures of all inputs together, and for each stream charts of its codebook use, most frequent units and
    n-grams, and durations."""
    for line in describe_inputs(statistics):
        print_text(Text(line), console)
    if statistics.streams:
        _print_table(streams_table(statistics), console)
    for stream in statistics.streams.values():
        _print_stream(stream, console)
    if statistics.inputs > 1:
        _print_chart("seconds of speech an input", histogram_bars(statistics.seconds_per_input), console)
        _print_chart("units an input", histogram_bars(statistics.units_per_input, step=1), console)


def describe_inputs(statistics: UnitStatistics) -> Iterator[str]:
    """Yield lines that say how many inputs of which kind there are, and how long they are."""
    inputs = counted(statistics.inputs, "input")
    if len(statistics.modalities) > 1:
        kinds = sorted(statistics.modalities.items())
        inputs += f" ({', '.join(f'{count:,} {_MODALITIES[name]}' for name, count in kinds)})"
    yield f"{inputs}, {_duration(statistics.seconds)} of speech, silence {_silence(statistics)}"
    if statistics.predicted:
        yield f"durations predicted for {counted(statistics.predicted, 'input')}"
    if statistics.spans["text"]:
        words = f"{counted(statistics.words, 'word')} in {counted(statistics.spans['text'], 'text span')}"
        speech = counted(statistics.spans["speech"], "speech span")
        yield f"{words}, {speech}, {counted(statistics.switches, 'switch', 'switches')} of modality"


def _print_stream(stream: StreamStatistics, console: Console) -> None:
    if not stream.distinct:  # it has only ids that no model has
        return
    kind, style = stream.kind.value, STYLES[stream.kind.value]
    size = stream.codebook or len(stream.counts)
    counts = np.pad(stream.counts[:size], (0, max(size - len(stream.counts), 0)))
    console.print()
    print_text(Text(f"{kind}: runs of each unit", "bold"), console)
    for row in grid(counts, console.width, style):
        print_text(row, console)
    top = TOP[stream.kind]
    frequent = [
        Bar(str(item.unit), item.runs, f"{1000 * item.mean_seconds:,.0f} ms")
        for item in stream.most_frequent(top)
    ]
    _print_chart(f"{kind}: most frequent units, with mean durations", frequent, console, stream.runs, style)
    rare = "  ".join(f"{item.unit}×{item.runs:,}" for item in stream.least_frequent(top))
    console.print()
    print_text(Text(f"{kind}: least frequent units", "bold"), console)
    print_text(Text(rare), console)
    for name, ngrams in (("bigrams", stream.bigrams), ("trigrams", stream.trigrams)):
        bars = [Bar(stream.spell(ids), count) for ids, count in ngrams.top(top)]
        low = f" (counts may be up to {ngrams.undercount:,} too low)" if ngrams.undercount else ""
        _print_chart(f"{kind}: most frequent {name} of runs{low}", bars, console, ngrams.total, style)
    durations = histogram_bars(stream.durations, FRAME_MS, step=1)
    _print_chart(f"{kind}: durations of runs in ms", durations, console, style=style)


def _print_chart(
    title: str, bars: list[Bar], console: Console, total: int | None = None, style: str = ""
) -> None:
    """Print bars below a title. total: what is 100 %; None for the sum of the bars."""
    if not bars:
        return
    console.print()
    print_text(Text(title, "bold"), console)
    for line in chart(bars, sum(bar.count for bar in bars) if total is None else total, console.width, style):
        console.print(line, soft_wrap=True)


def _silence(statistics: UnitStatistics) -> str:
    return "n/a" if statistics.silence is None else f"{100 * statistics.silence:.0f} %"


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:,.2f} hours" if seconds >= 3600 else f"{seconds:.1f} s"
