from collections.abc import Callable
from pathlib import Path

import pytest

from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.errors import TokenError
from spiritlm_cli.jobs.lines import InputLine, copy_ids, read_input, read_prompt
from spiritlm_cli.tokens.reader import parse_sequence

Read = Callable[..., list[InputLine]]


@pytest.fixture
def read(tmp_path: Path, release_tree: Path) -> Read:
    def read(text: bytes, on_header: Callable[[], None] | None = None) -> list[InputLine]:
        path = tmp_path / "in.txt"
        path.write_bytes(text)
        return list(read_input([str(path)], Checkpoint(release_tree, "tiny"), on_header))

    return read


def test_read_input_keeps_line_numbers_and_ids(read: Read) -> None:
    lines = read(b"a\t[TEXT]x\n[Hu1]\n")
    assert [(line.line_number, line.id, line.name) for line in lines] == [(1, "a", "a"), (2, None, "2")]
    assert lines[1].sequence == parse_sequence("[Hu1]")


def test_read_input_numbers_the_lines_of_all_files(tmp_path: Path, release_tree: Path) -> None:
    checkpoint = Checkpoint(release_tree, "tiny")
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text(f"#spiritlm 1 model=tiny tokenizer={checkpoint.fingerprint()}\n[Hu1]\n[Hu2]\n")
    second.write_text("[Hu3]\n")
    lines = list(read_input([str(first), str(second)], checkpoint))
    assert [(line.line_number, line.name) for line in lines] == [(2, "1"), (3, "2"), (1, "3")]


def test_read_input_checks_headers_and_reports_the_first(read: Read, release_tree: Path) -> None:
    header = f"#spiritlm 1 model=other tokenizer={Checkpoint(release_tree, 'tiny').fingerprint()}"
    calls: list[int] = []
    lines = read(f"{header}\n[Hu1]\n".encode(), lambda: calls.append(1))
    assert ([line.line_number for line in lines], calls) == ([2], [1])
    with pytest.raises(TokenError, match=r"in\.txt: these are tokens of other \(0123\).*--model"):
        read(b"#spiritlm 1 model=other tokenizer=0123\n[Hu1]\n")


def test_read_input_names_a_missing_file_before_it_reads(tmp_path: Path, release_tree: Path) -> None:
    with pytest.raises(FileNotFoundError, match="gone"):
        next(read_input(["-", str(tmp_path / "gone")], Checkpoint(release_tree, "tiny")))


def test_a_malformed_line_keeps_its_error(read: Read) -> None:
    _, bad = read(b"[Hu1]\n[Hu2][Hu03]\n")
    with pytest.raises(TokenError, match=r"line 2, column 6: '\[Hu03\]'") as raised:
        _ = bad.sequence
    assert bad.reason(raised.value).endswith(f"in.txt: {raised.value}")
    (line,) = read_prompt("[Hu03]")
    with pytest.raises(TokenError):
        _ = line.line


def test_copy_ids() -> None:
    assert copy_ids("a", 1) == ["a"]
    assert copy_ids("a", 2) == ["a#0", "a#1"]


@pytest.mark.parametrize("text", [b"", b"#spiritlm 1 model=tiny tokenizer=HASH\n"])
def test_an_input_without_lines_is_said(
    read: Read, release_tree: Path, caplog: pytest.LogCaptureFixture, text: bytes
) -> None:
    fingerprint = Checkpoint(release_tree, "tiny").fingerprint()
    assert read(text.replace(b"HASH", fingerprint.encode())) == []
    assert caplog.text.count("in.txt: no token lines") == 1


def test_a_line_that_is_too_long_costs_itself(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spiritlm_cli.text_files.MAX_LINE", 100)
    first, long, last = read(b"a\t[Hu1]\nb\t" + b"[Hu1]" * 100_000 + b"\nc\t[Hu2]\n")
    assert (first.id, long.id, last.id, last.sequence) == ("a", "b", "c", parse_sequence("[Hu2]"))
    with pytest.raises(TokenError, match="line 2, column 1: longer than"):
        _ = long.sequence
