import io
import os
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from spiritlm_cli.errors import ResumeError, TokenError
from spiritlm_cli.jobs.options import GenerateOptions
from spiritlm_cli.jobs.output import LineWriter, OutputLine
from spiritlm_cli.jobs.run import Run, settle


def test_ids_can_be_forced_and_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [OutputLine("[TEXT]x", "a"), OutputLine("[TEXT]y"), OutputLine("{}", "b", whole=True)]
    for ids, expected in (
        (None, "a\t[TEXT]x\n[TEXT]y\n{}\n"),
        (True, "a\t[TEXT]x\n2\t[TEXT]y\n{}\n"),
        (False, "[TEXT]x\n[TEXT]y\n{}\n"),
    ):
        out = io.BytesIO()
        monkeypatch.setattr("sys.stdout", SimpleNamespace(buffer=out))
        with LineWriter(ids=ids) as writer:
            for line in lines:
                writer.write(line)
        assert out.getvalue().decode() == expected


@pytest.mark.parametrize("id", ["", "a\tb", "a\nb"])
def test_an_id_that_a_line_cannot_hold_is_refused(tmp_path: Path, id: str) -> None:  # noqa: A002
    with LineWriter(tmp_path / "out") as writer:
        writer.write(OutputLine("x"))
        with pytest.raises(TokenError):
            writer.write(OutputLine("y", id))
    assert (tmp_path / "out").read_text() == "x\n"


def test_a_file_gets_its_name_when_it_is_complete(tmp_path: Path) -> None:
    out, part = tmp_path / "out", tmp_path / "out.part"
    out.write_text("old\n")
    writer = LineWriter(out).__enter__()
    writer.write(OutputLine("x"))
    writer.__exit__(TokenError, TokenError("stop"), None)
    assert (out.read_text(), part.read_text()) == ("old\n", "x\n")
    with LineWriter(out) as writer:
        writer.write(OutputLine("y"))
        assert part.read_text() == "y\n"
    assert out.read_text() == "y\n"
    assert not part.exists()


def test_a_continued_file_keeps_its_bytes_and_drops_the_rest(tmp_path: Path) -> None:
    (tmp_path / "out.part").write_text("one\ntwo\nthr")
    with LineWriter(tmp_path / "out", ids=True, kept=4, lines=1) as writer:
        writer.write(OutputLine("again"))
    assert (tmp_path / "out").read_text() == "one\n2\tagain\n"
    (tmp_path / "out.part").write_text("o")
    with pytest.raises(ResumeError, match="shorter than its journal"), LineWriter(tmp_path / "out", kept=4):
        pass


def test_a_file_that_another_run_writes_is_refused(tmp_path: Path) -> None:
    with LineWriter(tmp_path / "out") as writer:
        writer.write(OutputLine("x"))
        with (
            pytest.raises(ResumeError, match=r"out\.part: another run is writing it"),
            LineWriter(tmp_path / "out"),
        ):
            pass
    assert (tmp_path / "out").read_text() == "x\n"


def test_links_and_devices_are_written_through(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    for name in ("link", "pipe"):
        with LineWriter(tmp_path / name) as writer:
            writer.write(OutputLine("x"))
    assert os.read(reader, 100) == (tmp_path / "real").read_bytes() == b"x\n"
    os.close(reader)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "pipe", "real"]
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("path", ["-", "/dev/stdout"])
def test_a_dash_and_dev_stdout_are_stdout(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    out = io.BytesIO()
    monkeypatch.setattr("sys.stdout", SimpleNamespace(buffer=out))
    with LineWriter(Path(path)) as writer:
        writer.write(OutputLine("x"))
    assert out.getvalue() == b"x\n"


@pytest.mark.parametrize("name", ["out.part", "out.part.json"])
def test_a_planted_link_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "private").write_text("old\n")
    (tmp_path / name).symlink_to("private")
    run = Run(settle("generate", GenerateOptions(output=tmp_path / "out", seed=1)))
    with pytest.raises(OSError, match=r"remove it.*out\.part"), run:
        pass
    assert (tmp_path / "private").read_text() == "old\n"
    assert not (tmp_path / "out").exists()


def test_a_planted_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "out.part")
    with pytest.raises(OSError, match="not an ordinary file"), LineWriter(tmp_path / "out"):
        pass


@pytest.mark.parametrize("name", ["loop", "folder"])
def test_what_no_line_can_be_written_to_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match=f"/{name}'"), LineWriter(tmp_path / name):
        pass


def test_a_full_disk_is_named_by_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        pytest.raises(OSError, match="No space left on device: '/dev/full'"),
        LineWriter(Path("/dev/full")) as full,
    ):
        full.write(OutputLine("x"))
    with open("/dev/full", "wb") as stdout:  # noqa: PTH123
        monkeypatch.setattr("sys.stdout", SimpleNamespace(buffer=stdout))
        with pytest.raises(OSError, match="No space left on device: 'stdout'"), LineWriter() as writer:
            writer.write(OutputLine("x"))
        monkeypatch.undo()
        stdout.raw.close()  # drops what is buffered


def test_an_output_keeps_the_permissions_of_the_file_it_replaces(tmp_path: Path) -> None:
    (tmp_path / "out").touch(0o600)
    with LineWriter(tmp_path / "out") as writer:
        assert stat.S_IMODE((tmp_path / "out.part").stat().st_mode) == 0o600
        writer.write(OutputLine("x"))
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o600


def test_the_file_is_on_the_disk_before_it_is_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []

    def fsync(descriptor: int) -> None:
        synced.append((stat.S_ISDIR(os.fstat(descriptor).st_mode), (tmp_path / "out").exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    with LineWriter(tmp_path / "out") as writer:
        writer.write(OutputLine("x"))
    assert synced == [(False, False), (True, True)]
