import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlm_cli.alignment.formats.index import LineIndex
from spiritlm_cli.errors import ManifestError


def first_word(text: str, where: str) -> str | None:
    if text.startswith("!"):
        raise ManifestError(f"{where}: invalid")
    return text.split()[0] if text.strip() else None


def write(folder: Path, content: str, name: str = "x.txt") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(content.encode()) if path.suffix == ".gz" else content.encode())
    return path


@pytest.mark.parametrize("name", ["x.txt", "x.txt.gz"])
def test_find(tmp_path: Path, name: str) -> None:
    index = LineIndex(write(tmp_path, "\ufeffa 1\n\nb 2\nb 3\nc", name), first_word)
    assert index.find("b") == [(3, "b 2"), (4, "b 3")]
    assert index.find("a") == [(1, "a 1")]
    assert index.find("c") == [(5, "c")]
    assert index.find("d") is None
    index.close()


def test_find_refuses_lines_that_are_not_adjacent(tmp_path: Path) -> None:
    index = LineIndex(write(tmp_path, "a 1\nb 2\na 3\n"), first_word)
    with pytest.raises(ManifestError, match="line 3: 'a' occurred before"):
        index.find("a")
    assert index.find("b") is not None


def test_find_names_a_line_that_could_have_any_id(tmp_path: Path) -> None:
    index = LineIndex(write(tmp_path, "a 1\n! 2\n"), first_word)
    assert index.find("a") is not None
    with pytest.raises(
        ManifestError, match=r"'b' is not in the file, and a line can't be read: .*line 2: invalid"
    ):
        index.find("b")


def test_lines_end_at_cr_too(tmp_path: Path) -> None:
    index = LineIndex(write(tmp_path, "a 1\ra 2\rb 3"), first_word)
    assert index.find("a") == [(1, "a 1"), (2, "a 2")]
    assert index.find("b") == [(3, "b 3")]


def test_sizes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spiritlm_cli.text_files.MAX_LINE", 100)
    with pytest.raises(ManifestError, match="line 2: longer than"):
        LineIndex(write(tmp_path, "a 1\na " + "x" * 100), first_word)
    monkeypatch.setattr("spiritlm_cli.alignment.formats.index.MAX_FILE", 20)
    index = LineIndex(write(tmp_path, "a 1\n" * 9 + "b 2\n"), first_word)
    assert index.find("b") == [(10, "b 2")]
    with pytest.raises(ManifestError, match="line 1: more than 0 MB of one clip"):
        index.find("a")


def test_a_gzipped_file_that_would_fill_the_disk_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spiritlm_cli.text_files.MIN_INFLATED", 0)
    path = write(tmp_path, "a 1\n" * 1_000_000, "x.gz")
    with pytest.raises(ManifestError, match=r"x\.gz: is more than 100 times as large when decompressed"):
        LineIndex(path, first_word)


def test_open_errors(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="no such file"):
        LineIndex(tmp_path / "gone.txt", first_word)
    (tmp_path / "x.gz").write_bytes(gzip.compress(b"a 1\n" * 99)[:-9])
    with pytest.raises(ManifestError, match="gzip data is cut off or damaged"):
        LineIndex(tmp_path / "x.gz", first_word)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.text("xyz ", max_size=5)), max_size=12))
def test_find_reads_all_lines_of_a_clip(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    rows.sort()
    lines = [f"{name} {rest}" for name, rest in rows]
    index = LineIndex(
        write(tmp_path_factory.mktemp("index"), "".join(f"{line}\n" for line in lines)), first_word
    )
    for name in {name for name, _ in rows}:
        result = [text for _, text in index.find(name) or () if text]
        assert result == [line for line in lines if line.startswith(name)]
    index.close()
