"""`interleave --explain`: how a line was cut, as a table for people."""

import io

from rich.console import Console
from rich.table import Table
from rich.text import Text

from spiritlm_cli.console import one_line
from spiritlm_cli.interleaving.interleave import TimedSpan, Utterance, cut_spans, line_rng
from spiritlm_cli.interleaving.spans import SpanOptions
from spiritlm_cli.jobs.lines import copy_ids
from spiritlm_cli.tokens.sequence import SpeechSpan


def spans_table(utterance: Utterance, spans: SpanOptions, seed: int, copies: int) -> str:
    """A table for each line that `draw_lines` draws of an utterance with word times.

    It has a row for each span: modality, seconds, number of words, number of units, text.
    """
    assert utterance.alignment  # or no line was drawn
    tables = io.StringIO()
    console = Console(file=tables, width=Console(stderr=True).width)
    for copy, name in enumerate(copy_ids(utterance.id, copies)):
        rng = line_rng(seed, utterance.id, copy=copy)
        cuts = cut_spans(
            utterance.units, utterance.text, utterance.alignment, spans, rng, utterance.untranscribed
        )
        console.print(_table(name, cuts))
    return tables.getvalue()


def _table(name: str, cuts: tuple[TimedSpan, ...]) -> Table:
    table = Table(title=Text(one_line(name)), title_justify="left", box=None, pad_edge=False)
    for heading in ("span", "from s", "to s", "words", "units"):
        table.add_column(heading, justify="right" if heading != "span" else "left")
    table.add_column("text", overflow="fold")
    for cut in cuts:
        units = str(len(cut.span.units)) if isinstance(cut.span, SpeechSpan) else ""
        numbers = (f"{cut.start:.2f}", f"{cut.end:.2f}", str(cut.words.stop - cut.words.first), units)
        table.add_row(cut.words.modality.value, *numbers, Text(one_line(cut.text)))
    return table
