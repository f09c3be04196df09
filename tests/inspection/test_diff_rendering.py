import io

from inspection_fixtures import line
from rich.console import Console

from spiritlm_cli.inspection.diff_rendering import (
    DiffReport,
    print_confusions,
    print_line_diff,
    print_missing,
)
from spiritlm_cli.inspection.unit_diff import DiffTotals, diff_inspected


def printed(function, *arguments, width=80, color=False):
    file = io.StringIO()
    console = Console(
        file=file, width=width, force_terminal=color, color_system="standard" if color else None
    )
    function(*arguments[:1], console, *arguments[1:])
    return file.getvalue()


def shown(a, b, context=1, **console):
    return printed(print_line_diff, diff_inspected(line(a), line(b)), context, **console)


def test_print_line_diff():
    text = shown("[SPEECH][Hu5][Hu7][Hu9][Hu11]", "[SPEECH][Hu5][Hu70][Hu9]")
    assert text == (
        "1\n"
        "  UER: phonetic 50.0 %\n"
        "  phonetic  A about 0.00–0.48 s, B about 0.00–0.36 s\n"
        "    A Hu5 Hu7  Hu9 Hu11\n"
        "    B Hu5 Hu70 Hu9 -\n"
        "          ^^^^     ^^^^\n"
    )


def test_print_line_diff_with_color():
    assert "\x1b[1;33mHu7\x1b[0m" in shown("[SPEECH][Hu5][Hu7]", "[SPEECH][Hu5][Hu8]", color=True)


def test_print_line_diff_of_equal_lines_is_empty():
    assert shown("[SPEECH][Hu5]", "[SPEECH][Hu5]") == ""


def test_print_line_diff_fits_the_width():
    a = "[SPEECH]" + "".join(f"[Hu{unit}]" for unit in range(100, 160))
    b = "[SPEECH]" + "".join(f"[Hu{unit}]" for unit in range(200, 260))
    lines = shown(a, b, width=60).splitlines()[3:]
    assert max(map(len, lines)) <= 60
    rows = [label for row in lines if row.startswith("    A") for label in row.split()[1:]]
    assert rows == [f"Hu{unit}" for unit in range(100, 160)]


def test_print_line_diff_of_texts_that_look_alike():
    text = shown("[TEXT]a  b", "[TEXT]a b")
    assert "'a  ' b" in text
    assert "'a '  b" in text


def test_print_line_diff_of_hostile_text():
    diff = diff_inspected(line("[TEXT]a", "one\x1b[31m\n"), line("[TEXT]\x1b]0;x\x07", "two"))
    text = printed(print_line_diff, diff, 3)
    assert text.startswith("one\ufffd[31m | two\n")
    assert "\x1b" not in text
    assert "\x07" not in text


def test_print_line_diff_of_durations():
    text = shown("[SPEECH][Hu5][Hu5][Hu6]", "[SPEECH][Hu5][Hu6][Hu6]")
    assert text == "1\n  the same units and text; their repeats or their order differ\n"


def test_print_missing():
    file = io.StringIO()
    print_missing("a\x1bb", "A", Console(file=file))
    assert file.getvalue() == "a\ufffdb: only in A\n"


def totals():
    found = DiffTotals()
    found.add(diff_inspected(line("[SPEECH][Hu5][Hu7][Hu5]"), line("[SPEECH][Hu5][Hu8]")))
    found.add(diff_inspected(line(""), line("[SPEECH][Pi5][Hu8]")))
    found.only_a = 2
    return found


def test_report_table():
    table = DiffReport(totals()).table()
    assert table.title == "2 lines compared, 2 different, 2 only in A"
    rows = list(zip(*(column.cells for column in table.columns), strict=True))
    assert rows == [
        ("phonetic", "3", "100.0 %", "1", "1", "1", ""),
        ("pitch", "0", "", "0", "1", "0", ""),
    ]


def test_print_confusions():
    assert printed(print_confusions, totals()) == "phonetic, most often replaced: Hu7 by Hu8 (1×)\n"


def test_print_confusions_is_wrapped_between_words_on_a_terminal():
    found = DiffTotals()
    found.add(diff_inspected(line("[SPEECH][Hu5][Hu7][Hu90]"), line("[SPEECH][Hu6][Hu8][Hu91]")))
    text = printed(print_confusions, found, width=50, color=True)
    assert text == "phonetic, most often replaced: Hu5 by Hu6 (1×),\nHu7 by Hu8 (1×), Hu90 by Hu91 (1×)\n"
