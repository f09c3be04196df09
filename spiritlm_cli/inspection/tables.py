"""Tables of the figures of inspected inputs."""

from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text

from spiritlm_cli.inspection.statistics import SpanMeasures, UnitStatistics
from spiritlm_cli.inspection.streams import StreamStatistics
from spiritlm_cli.inspection.wrapping import PieceKind, printable_line
from spiritlm_cli.tokens.units import Kind

# Legible on dark and on light backgrounds, whatever shades a terminal has for the 16 ANSI colors.
STYLES: dict[PieceKind, str] = {"marker": "dim", "text": "bold", "Hu": "", "Pi": "magenta", "St": "red"}
# Columns of a text at least.
_EXCERPT = 8


def streams_table(statistics: UnitStatistics) -> Table:
    """A table with a column for each stream, and one for all of them."""
    streams = list(statistics.streams.values())
    table = Table(box=None, pad_edge=False, header_style="")
    table.add_column("", no_wrap=True)
    for stream in streams:
        table.add_column(Text(stream.kind.value, STYLES[stream.kind.value]), justify="right", no_wrap=True)
    table.add_column("all", justify="right", no_wrap=True)
    observed = any(stream.codebook is None for stream in streams)

    def row(label: str, cells: list[str], total: str = "") -> None:
        table.add_row(label, *cells, total)

    row("units", [f"{s.units:,}" for s in streams], f"{sum(s.units for s in streams):,}")
    row("runs", [f"{s.runs:,}" for s in streams], f"{sum(s.runs for s in streams):,}")
    row("runs/s", [_decimal(s.rate) for s in streams], _decimal(sum(s.rate or 0 for s in streams)))
    row("different units", [_of_codebook(s) for s in streams])
    if any(stream.outside for stream in streams):
        row("runs outside codebook", [f"{s.outside:,}" for s in streams])
    row("entropy, bits", [f"{s.entropy:.2f}" for s in streams])
    row("perplexity", [_decimal(s.perplexity) for s in streams])
    row(
        "bits/s, log2 different" if observed else "bits/s, log2 codebook",
        [_decimal(s.fixed_length_bitrate) for s in streams],
        _decimal(statistics.fixed_length_bitrate),
    )
    row(
        "bits/s, entropy",
        [_decimal(s.entropy_bitrate) for s in streams],
        _decimal(statistics.entropy_bitrate),
    )
    row("longest run, s", [f"{s.longest.seconds:.2f}" if s.longest else "" for s in streams])
    row("its unit", [str(s.longest.unit) if s.longest else "" for s in streams])
    return table


def spans_table(spans: list[SpanMeasures], kinds: list[Kind], width: int) -> Table:
    """A table with a row for each span.

    kinds: the streams that have a column. width: in columns, to which texts are cut off.
    """
    table = Table(box=None, pad_edge=False, header_style="")
    headings = ("span", "from s", "to s", *(kind.value for kind in kinds), "chars", "words", "text")
    rows = [_span_row(span, kinds) for span in spans]
    room = width
    for heading, *cells in zip(headings, *rows, strict=True):
        if heading == "text":
            table.add_column(
                heading,
                style=STYLES["text"],
                no_wrap=True,
                max_width=max(room, _EXCERPT),
                overflow="ellipsis",
            )
        else:
            room -= max(map(len, (heading, *cells))) + 2
            justify: JustifyMethod = "left" if heading == "span" else "right"
            table.add_column(heading, justify=justify, no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _span_row(span: SpanMeasures, kinds: list[Kind]) -> list[str]:
    return [
        span.modality,
        f"{span.start:.2f}",
        f"{span.end:.2f}",
        *(f"{span.units[kind]:,}" if kind in span.units else "" for kind in kinds),
        f"{len(span.text):,}" if span.modality == "text" else "",
        "" if span.words is None else f"{span.words:,}",
        printable_line(span.text),
    ]


def _of_codebook(stream: StreamStatistics) -> str:
    return f"{stream.distinct:,}" if stream.codebook is None else f"{stream.used:,}/{stream.codebook:,}"


def _decimal(value: float | None) -> str:
    return "n/a" if value is None else f"{value:,.1f}"
