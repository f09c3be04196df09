import io
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.errors import TokenError
from spiritlm_cli.jobs.failures import Failures
from spiritlm_cli.jobs.lines import InputLine, copy_ids, read_input
from spiritlm_cli.jobs.output import LineWriter
from spiritlm_cli.tokens.reader import parse_sequence
from spiritlm_cli.tokens.sequence import Line, Sequence


def sequence(line: InputLine) -> Sequence:
    return line.sequence


@pytest.fixture
def read(tmp_path, release_tree):
    def read(text: bytes, writer: LineWriter | None = None) -> list[InputLine]:
        path = tmp_path / "in.txt"
        path.write_bytes(text)
        return list(read_input([str(path)], Checkpoint(release_tree, "tiny"), writer))

    return read


def test_lines_keep_number_and_id(read):
    lines = read(b"a\t[TEXT]x\n[Hu1]\n")
    assert [(line.number, line.id, line.name) for line in lines] == [(1, "a", "a"), (2, None, "2")]
    assert lines[1].sequence == parse_sequence("[Hu1]")


def test_a_line_without_an_id_goes_by_its_place_among_all(tmp_path, release_tree):
    checkpoint = Checkpoint(release_tree, "tiny")
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text(f"#spiritlm 1 model=tiny tokenizer={checkpoint.fingerprint()}\n[Hu1]\n[Hu2]\n")
    second.write_text("[Hu3]\n")
    lines = list(read_input([str(first), str(second)], checkpoint))
    assert [(line.number, line.name) for line in lines] == [(2, "1"), (3, "2"), (1, "3")]


def test_an_error_stops_and_says_where(read):
    lines = read(b"[Hu1]\n[Hu2][Hu03]\n")
    with Failures() as failures, pytest.raises(TokenError, match=r"in\.txt: line 2, column 6: '\[Hu03\]'"):
        list(failures.each(lines, sequence))


def test_a_skipped_line_is_reported_and_counts_at_the_end(read, tmp_path):
    lines = read(b"a\t[Hu1]\nb\t[Hu03]\n\xff\n")
    with pytest.raises(typer.Exit) as raised, Failures("skip", tmp_path / "bad") as failures:
        found = [(line.name, result) for line, result in failures.each(lines, sequence)]
    assert raised.value.exit_code == 1
    assert found == [("a", parse_sequence("[Hu1]")), ("b", None), ("3", None)]
    reported = [line.split("\t")[0] for line in (tmp_path / "bad").read_text().splitlines()]
    assert reported == ["b", "3"]


def test_a_header_is_checked_and_repeated_once(read, tmp_path, release_tree):
    header = f"#spiritlm 1 model=other tokenizer={Checkpoint(release_tree, 'tiny').fingerprint()}"
    with LineWriter(tmp_path / "out") as writer:
        assert [line.number for line in read(f"{header}\n[Hu1]\n".encode(), writer)] == [2]
        read(f"{header}\n".encode())
    assert (tmp_path / "out").read_text() == header.replace("other", "tiny") + "\n"
    with pytest.raises(TokenError, match=r"in\.txt: these are tokens of other \(0123\).*--model"):
        read(b"#spiritlm 1 model=other tokenizer=0123\n[Hu1]\n")


def test_ids_can_be_forced_and_dropped(monkeypatch):
    lines = [Line(parse_sequence("x"), "a"), Line(parse_sequence("y"))]
    for ids, expected in (
        (None, "a\t[TEXT]x\n[TEXT]y\n"),
        (True, "a\t[TEXT]x\n2\t[TEXT]y\n"),
        (False, "[TEXT]x\n[TEXT]y\n"),
    ):
        out = io.BytesIO()
        monkeypatch.setattr("sys.stdout", SimpleNamespace(buffer=out))
        writer = LineWriter(ids=ids)
        for line in lines:
            writer.write(line)
        assert out.getvalue().decode() == expected


def test_copies_have_ids_of_their_own():
    assert copy_ids("a", 1) == ["a"]
    assert copy_ids("a", 2) == ["a#0", "a#1"]


def test_a_file_gets_its_name_when_it_is_complete(tmp_path):
    out, part = tmp_path / "out", tmp_path / "out.part"
    out.write_text("old\n")
    writer = LineWriter(out).__enter__()
    writer.write(Line(parse_sequence("x")))
    writer.__exit__(TokenError, TokenError(), None)
    assert (out.read_text(), part.read_text()) == ("old\n", "[TEXT]x\n")
    with LineWriter(out) as writer:
        writer.write(Line(parse_sequence("y")))
        assert part.read_text() == "[TEXT]y\n"
    assert out.read_text() == "[TEXT]y\n"
    assert not part.exists()


def test_links_and_devices_are_written_through(tmp_path):
    (tmp_path / "link").symlink_to("real")
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    for name in ("link", "pipe"):
        with LineWriter(tmp_path / name) as writer:
            writer.write(Line(parse_sequence("x")))
    assert os.read(reader, 100) == (tmp_path / "real").read_bytes() == b"[TEXT]x\n"
    os.close(reader)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "pipe", "real"]
    assert (tmp_path / "link").is_symlink()


def test_a_dash_is_stdout(monkeypatch):
    out = io.BytesIO()
    monkeypatch.setattr("sys.stdout", SimpleNamespace(buffer=out))
    with LineWriter(Path("-")) as writer:
        writer.write(Line(parse_sequence("x")))
    assert out.getvalue() == b"[TEXT]x\n"
