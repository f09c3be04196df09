import io

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from spiritlm_cli.printing import print_table, print_text


def printed(function, shown, width, terminal=False):
    file = io.StringIO()
    function(shown, Console(file=file, width=width, force_terminal=terminal, color_system=None))
    return file.getvalue()


def numbers():
    table = Table(title="5 runs", title_justify="left", box=None, pad_edge=False)
    table.add_column("")
    table.add_column(Text("Hu", "red"), justify="right")
    table.add_column("note", max_width=12, no_wrap=True, overflow="ellipsis")
    table.add_row("units of all clips", "1,240", Text("[bold] is no markup"))
    table.add_row("  runs", "9", "")
    return table


def test_print_table_lines_end_without_blanks():
    for terminal in (False, True):
        assert printed(print_table, numbers(), 80, terminal) == (
            "5 runs\n"
            "                       Hu  note\n"
            "units of all clips  1,240  [bold] is n…\n"
            "  runs                  9\n"
        )


@pytest.mark.parametrize("width", [20, 30])
def test_print_table_is_a_list_if_it_does_not_fit(width):
    text = "[bold] is no markup"
    room = width - len("  note: ")
    assert printed(print_table, numbers(), width) == (
        "5 runs\n\n"
        "units of all clips\n"
        "  Hu: 1,240\n"
        f"  note: {text if len(text) <= room else text[: room - 1] + '…'}\n"
        "  runs\n"
        "    Hu: 9\n"
    )


def test_print_table_wraps_long_names():
    table = Table("", "items", box=None, pad_edge=False)
    table.add_row("a name of a row that is long", "4")
    assert printed(print_table, table, 32).splitlines() == [
        "                           items",
        "a name of a row that is    4",
        "long",
    ]


def test_print_text_is_wrapped_between_words_on_a_terminal():
    text = Text("Hu1 by Hu242, Hu176 by Hu173")
    assert printed(print_text, text, 20, terminal=True) == "Hu1 by Hu242, Hu176\nby Hu173\n"
    assert printed(print_text, text, 20) == "Hu1 by Hu242, Hu176 by Hu173\n"
