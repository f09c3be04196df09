"""The places of a unit, for a terminal: one line each, with the unit in the middle."""

from rich.console import Console
from rich.text import Text

from spiritlm_cli.console import counted
from spiritlm_cli.inspection.concordance import Place, PlaceCounts
from spiritlm_cli.inspection.unit_phones import PhoneCounts
from spiritlm_cli.inspection.wrapping import shown_line
from spiritlm_cli.printing import print_table, print_text

# Columns of a unit and a space.
_UNIT = 6


def print_heading(console: Console, context: int, sound: bool) -> None:
    """Print what the columns of `print_place` are. sound: whether there is a joined sound."""
    at = f"{'in sound':>9}" if sound else ""
    units = f"{'units':>{context * _UNIT + 6}}"
    print_text(Text(f"{'from s':>9}{'to s':>9}{at}  {units}", style="bold"), console)


def print_place(console: Console, place: Place, context: int, at: float | None) -> None:
    """Print a place: its times, the units around it, its clip or line, and its words.

    context: number of units to either side. at: its time in the joined sound, None if there is none.
    """
    about = "~" if place.predicted else ""
    times = "".join(f"{about + format(seconds, '.2f'):>9}" for seconds in (place.start, place.end))
    if at is not None:
        times += f"{at:9.2f}"
    width = context * _UNIT
    text = Text(f"{times}  {' '.join(place.before):>{width}} ")
    text.append(" ".join(place.units), style="bold")
    text.append(f" {' '.join(place.after):<{width}}  {shown_line(place.id)}")
    if place.words:
        text.append("  " + shown_line(" ".join(place.words)), style="italic")
    text.rstrip()
    print_text(text, console)


def print_place_counts(console: Console, query: str, counts: PlaceCounts, shown: int) -> None:
    """Print how many places there are. query: the units."""
    inputs = f"{counts.found:,} of {counts.inputs:,} inputs"
    parts = [f"{query}: {counted(counts.places, 'place')} in {inputs}"]
    if counts.mean_seconds is not None:
        parts.append(f"{1000 * counts.mean_seconds:.0f} ms on average")
    if shown < counts.places:
        parts.append(f"{shown:,} of them are shown")
    if counts.predicted:
        number = "all" if counts.predicted == counts.places else f"{counts.predicted:,}"
        parts.append(f"times predicted by the vocoder: {number} (~)")
    print_text(Text("; ".join(parts)), console)


def print_phones(console: Console, phones: PhoneCounts) -> None:
    """Print which phones are spoken at the places."""
    if phones.purity is None:
        print_text(Text("phones: none; no place is in a clip with a text that could be aligned"), console)
        return
    others = f"; {phones.others:,} without" if phones.others else ""
    total = sum(phones.frames.values())
    purity = f"purity {100 * phones.purity:.1f} %"
    print_text(
        Text(f"phones of {counted(phones.clips, 'clip')}{others}: {total:,} frames of 40 ms, {purity}"),
        console,
    )
    print_table(phones.table(), console)
