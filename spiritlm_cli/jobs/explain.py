"""What people are told of words and spans, on stderr: repairs, doubts, and how a clip was cut."""

from typing import TYPE_CHECKING

from spiritlm_cli.console import log, one_line
from spiritlm_cli.jobs.lines import copy_ids

if TYPE_CHECKING:
    from spiritlm_cli.interleaving.interleave import TimedSpan, Utterance
    from spiritlm_cli.interleaving.spans import SpanOptions
    from spiritlm_cli.manifests.clip import Alignment


def tell_notes(clip_id: str, alignment: "Alignment | None") -> None:
    """What was repaired in its words, and whether they are in doubt."""
    for note in alignment.notes if alignment else ():
        log.warning("%s", one_line(f"{clip_id}: {note}"))


def show_spans(utterance: "Utterance", spans: "SpanOptions", seed: int, copies: int) -> None:
    """A table of each line that `draw_lines` draws: of each span its kind, its seconds, its words and its units."""
    from spiritlm_cli.interleaving.interleave import cut_spans, line_rng

    assert utterance.alignment  # or no line was drawn
    for copy, name in enumerate(copy_ids(utterance.id, copies)):
        rng = line_rng(seed, utterance.id, copy=copy)
        _show(name, cut_spans(utterance.units, utterance.text, utterance.alignment, spans, rng))


def _show(name: str, cuts: "tuple[TimedSpan, ...]") -> None:
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
