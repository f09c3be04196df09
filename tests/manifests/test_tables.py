from pathlib import Path

import pytest

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.tables import read_table
from spiritlm_cli.text_files import numbered_lines


def write(folder: Path, content: str) -> Path:
    (folder / "t").write_bytes(content.encode())
    return folder / "t"


def rows(path: Path, delimiter: str) -> list[tuple[int, list[str] | str]]:
    table = read_table(numbered_lines(path), "t", delimiter)
    return [
        (number, str(cells) if isinstance(cells, ManifestError) else cells) for number, cells in table.rows
    ]


def test_read_table_of_tsv(tmp_path: Path) -> None:
    path = write(tmp_path, 'a\tb\n"1"\t2\n\n \n3\n')
    table = read_table(numbered_lines(path), "t")
    assert (table.columns, table.header_line) == (["a", "b"], 1)
    assert list(table.rows) == [(2, ['"1"', "2"]), (5, ["3"])]
    assert table.by_column(["1", "2"], "t: line 2") == {"a": "1", "b": "2"}
    with pytest.raises(ManifestError, match=r"^t: line 5: 1 columns, but line 1 names 2$"):
        table.by_column(["3"], "t: line 5")


def test_read_table_of_csv(tmp_path: Path) -> None:
    path = write(tmp_path, 'a,b\r\n"1, ""x""\r\ny",2\r\n\r\n3,4')
    assert rows(path, ",") == [(2, ['1, "x"\ny', "2"]), (5, ["3", "4"])]


def test_a_damaged_row_of_csv_costs_itself(tmp_path: Path) -> None:
    path = write(tmp_path, 'a,b\n"1"x,2\n3,4\n5,"6\n7,8\n')
    assert rows(path, ",") == [
        (2, "t: line 2: not CSV (',' expected after '\"')"),
        (3, ["3", "4"]),
        (4, "t: line 4: a quote is not closed; the row goes on to the end of the file, line 5"),
    ]


def test_a_line_that_is_not_text_costs_its_row(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"a,b\n\xff,2\n3,4\n")
    assert [number for number, cells in rows(tmp_path / "t", ",") if isinstance(cells, str)] == [2]


@pytest.mark.parametrize("content", ["", "\n"])
def test_an_empty_table_has_no_header(tmp_path: Path, content: str) -> None:
    with pytest.raises(ManifestError, match=r"^t: empty; its first line should name the columns$"):
        read_table(numbered_lines(write(tmp_path, content)), "t")


def test_a_column_cannot_occur_twice(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"^t: line 2: two columns are named 'a'$"):
        read_table(numbered_lines(write(tmp_path, "\na,b,a\n")), "t", ",")
