import io
import sys
from pathlib import Path

import pytest

from spiritlm_cli.errors import ManifestError, SpiritLMError
from spiritlm_cli.evaluation.pair_files import read_pairs, table_rows
from spiritlm_cli.evaluation.pairs import BadPair, Group, Pair
from spiritlm_cli.tokens.sequence import Line, Sequence, TextSpan


def test_read_pairs(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    lines = [
        "id\tgood\tbad\ttype\tgiven\tmore",
        'p1\t[TEXT]The "cat\t[SPEECH][Hu1][Hu2]\tmixed\t\tx',
        "\tplain\tplane\t\t\t",
        "p3\t[TEXT]a\tb [Hu-1]\t\t\t",
        "p4\ta\t\t\t\t",
        "p5\ta\tb",
        "p1\ta\tb\t\t\t",
        "9\ta\tb\t\t[TEXT]before[Hu+1]\t",
        "\ta\tb\t\t[TEXT]before\t",
    ]
    path.write_text("\n".join(lines) + "\n")
    first, second, *bad, last = read_pairs(path)
    assert isinstance(last, Pair)
    assert isinstance(first, Pair)
    assert (first.given, last.given) == (None, Line(Sequence.of([TextSpan("before")])))
    assert isinstance(second, Pair)
    assert (first.id, first.groups) == ("p1", (Group("type", "mixed"),))
    assert first.good[0].content == Sequence.of([TextSpan('The "cat')])
    assert isinstance(first.bad[0].content, Sequence)
    assert len(first.bad[0].content.speech[0].units) == 2
    assert (second.id, second.groups) == ("line 3", ())
    assert [entry.id for entry in bad] == ["p3", "p4", "line 6", "p1", "9"]
    wanted = [
        # the cell begins at column 12, the token at its third character
        f"{path}: line 4, column 14: '[Hu-1]' is not a unit",
        f"{path}: line 5: bad is empty",
        f"{path}: line 6: 3 columns, but line 1 names 6",
        f"{path}: line 7: id 'p1' was there before",
        # the cell begins at column 12
        f"{path}: line 8, column 20: '[Hu+1]' is not a unit",
    ]
    for entry, text in zip(bad, wanted, strict=True):
        assert isinstance(entry, BadPair)
        assert str(entry.error).startswith(text)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"good\tworse\n", "line 1: no column is named bad, only: good, worse"),
        (b"good\tbad\tgood\na\tb\tc\n", "line 1: two columns are named 'good'"),
        (b"good\tbad\n", "has no pairs"),
    ],
)
def test_read_pairs_rejects_invalid_files(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_bytes(content)
    with pytest.raises(ManifestError, match=reason):
        list(read_pairs(path))
    with pytest.raises(ManifestError, match=r"no\.tsv: no such file"):
        list(read_pairs(tmp_path / "no.tsv"))


def test_table_rows_of_quoted_csv(tmp_path: Path) -> None:
    path = tmp_path / "gold.csv"
    path.write_text('\ufeffid,text\n1,"one, ""two"""\n', encoding="utf-8")
    ((line_number, row),) = table_rows(path, ["id"])
    assert line_number == 2
    assert not isinstance(row, SpiritLMError)
    assert row.cells == {"id": "1", "text": 'one, "two"'}
    path.write_text('id,text\n1,"one\n')
    ((line_number, row),) = table_rows(path, ["id"])
    assert (
        str(row) == f"{path}: line 2: a quote is not closed; the row goes on to the end of the file, line 2"
    )


def test_read_pairs_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"good\tbad\na\tb\nc\t\xff\nd\n")))
    first, second, third = read_pairs("-")
    assert isinstance(first, Pair)
    assert (first.id, first.source) == ("line 2", "stdin: line 2")
    assert isinstance(second, BadPair)
    assert (second.id, str(second.error)) == ("line 3", "stdin: line 3: not UTF-8 text")
    assert isinstance(third, BadPair)
    assert (third.id, str(third.error)) == ("line 4", "stdin: line 4: 1 columns, but line 1 names 2")
