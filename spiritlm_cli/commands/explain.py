"""How a clip was cut into spans, as a table for people."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from spiritlm_cli.commands.lines import one_line

if TYPE_CHECKING:
    from spiritlm_cli.interleaving.interleave import Cut


def show_spans(name: str, cuts: "Iterable[Cut]") -> None:
    """On stderr: of each span its kind, its seconds, its words and its units."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from spiritlm_cli.tokens.sequence import SpeechSpan

    table = Table(title=Text(one_line(name)), title_justify="left", box=None, pad_edge=False)
    for heading in ("span", "from s", "to s", "words", "units"):
        table.add_column(heading, justify="right" if heading != "span" else "left")
    table.add_column("text", overflow="fold")
    for cut in cuts:
        units = len(cut.span.units) if isinstance(cut.span, SpeechSpan) else None
        numbers = [f"{cut.start:.2f}", f"{cut.end:.2f}", str(cut.words.stop - cut.words.first)]
        table.add_row(
            cut.words.modality.value, *numbers, "" if units is None else str(units), Text(one_line(cut.text))
        )
    Console(stderr=True).print(table)
