import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from spiritlm_cli.console import warn_once
from spiritlm_cli.inspection.wrapping import Piece, count_replaced, printable, shown_line, wrap_sequence
from spiritlm_cli.tokens.reader import parse_sequence
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind, Unit
from spiritlm_cli.tokens.writer import format_sequence

units = st.builds(Unit, st.sampled_from(Kind), st.integers(0, 600) | st.integers(0, 10**18 - 1))
speech = st.builds(SpeechSpan, st.lists(units, max_size=20).map(tuple))
words = st.sampled_from(
    ["the", "cat", " ", "  ", "[", "]", "\\", "\n", "\t", "[Hu1]", "語", "e\u0301", "\x1b[31m", "x" * 90]
)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")) | st.lists(words).map(
    "".join
)
sequences = st.lists(st.builds(TextSpan, texts) | speech).map(Sequence.of)

small = st.builds(
    SpeechSpan, st.lists(st.builds(Unit, st.sampled_from(Kind), st.integers(0, 600)), max_size=20).map(tuple)
)
short = st.sampled_from(["the", " cat", "  [", "]", "\\", "\n", "[Hu1]", "語", "e\u0301", "x" * 90])


def rows(text: str, width: int | None) -> list[str]:
    return ["".join(piece.text for piece in row) for row in wrap_sequence(parse_sequence(text), width)]


@settings(max_examples=50)
@given(sequences, st.sampled_from([1, 20, 60, 120, None]))
def test_rows_without_line_ends_are_the_line(sequence: Sequence, width: int | None) -> None:
    line = format_sequence(sequence)
    shown = ["".join(piece.text for piece in row) for row in wrap_sequence(sequence, width)]
    joined = "".join(shown)
    if printable(line) == line:
        assert joined == line
        assert parse_sequence(joined) == sequence
    else:
        assert joined == printable(line)
    # what a terminal drops from what is copied; white space at the end of a line can't be helped
    assert not [row for row in shown[:-1] if row[-1].isspace()]
    assert "\n" not in joined


@settings(max_examples=50)
@given(
    st.lists(st.builds(TextSpan, st.lists(short).map("".join)) | small).map(Sequence.of),
    st.sampled_from([20, 60, 120]),
)
def test_rows_fit_and_end_between_tokens(sequence: Sequence, width: int) -> None:
    for row in wrap_sequence(sequence, width):
        assert 0 < sum(cell_len(piece.text) for piece in row) <= width
        for piece in row:
            if piece.kind in ("Hu", "Pi", "St"):
                assert piece.text.startswith(f"[{piece.kind}")
                assert piece.text.endswith("]")


def test_wrap_sequence() -> None:
    text = "[TEXT]the cat sat [SPEECH][St1][Pi2][Hu30][Hu4]"
    assert rows(text, 20) == ["[TEXT]the cat sat", " [SPEECH][St1][Pi2]", "[Hu30][Hu4]"]
    assert rows(text, 60) == rows(text, None) == [text]
    assert list(wrap_sequence(parse_sequence("[SPEECH][Pi2][Hu30][Hu4]"), None)) == [
        [Piece("marker", "[SPEECH]"), Piece("Pi", "[Pi2]"), Piece("Hu", "[Hu30][Hu4]")]
    ]


def test_wrap_sequence_of_long_words() -> None:
    assert rows("[TEXT]" + "x" * 25 + "\\n" + "y" * 10, 10) == [
        "[TEXT]xxxx",
        "x" * 10,
        "x" * 10,
        "x\\nyyyyyyy",
        "yyy",
    ]
    # two columns each; an accent stays with its letter
    assert rows("[TEXT]" + "語" * 7 + "e\u0301" * 3, 9) == [
        "[TEXT]語",
        "語語語語",
        "語語e\u0301e\u0301e\u0301",
    ]


def test_wrap_sequence_never_breaks_a_unit() -> None:
    assert rows("[SPEECH][Hu123456789012345678][Hu1]", 8) == ["[SPEECH]", "[Hu123456789012345678]", "[Hu1]"]


def test_wrap_sequence_of_nothing() -> None:
    assert rows("", 20) == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x07", "\ufffd[31mred\ufffd"),
        ("a\u202eb\u2066c\u200bd\u2028e\x85f\x9bg", "a\ufffdb\ufffdc\ufffdd\ufffde\ufffdf\ufffdg"),
        ("a\u00a0b\u3000c [bold] \u05d0 👩\u200d🚀", "a\u00a0b\u3000c [bold] \u05d0 👩\u200d🚀"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_shown_line_warns_once(caplog: pytest.LogCaptureFixture) -> None:
    warn_once.cache_clear()
    assert [shown_line(text) for text in ("a\r\n b\t", "\x0bc\u202e", "d\x1b")] == [
        "a b",
        "\ufffdc\ufffd",
        "d\ufffd",
    ]
    assert caplog.messages == ["characters that could control the terminal are shown as \ufffd"]
    assert [count_replaced(text) for text in ("a\r\n b", "\x0bc\u202e")] == [0, 2]
