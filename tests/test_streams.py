import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spiritlm_cli.streams import is_stdout, is_written_through, open_through, reserve_stdout, standard_input


def test_standard_input_in_a_thread_does_not_abort_the_interpreter() -> None:
    code = """
import threading
from spiritlm_cli.streams import standard_input
started = threading.Event()
def read():
    stream = standard_input()
    print(stream.readline().decode(), end="", flush=True)
    started.set()
    stream.readline()
threading.Thread(target=read, daemon=True).start()
started.wait()
"""
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb", buffering=0) as stdin, os.fdopen(reader, "rb") as pipe:
        stdin.write(b"one\n")
        done = subprocess.run(
            [sys.executable, "-c", code], stdin=pipe, capture_output=True, text=True, check=False
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, "one\n", "")


def test_standard_input_of_a_replaced_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"abc")))
    assert standard_input().read() == b"abc"


NOISE = """
import ctypes, os
from spiritlm_cli.streams import reserve_stdout
reserve_stdout()
print("data é")
ctypes.CDLL(None).puts(b"C")  # written when the process ends
os.system("echo child")
"""


def run_noise(redirection: str, code: str = NOISE) -> subprocess.CompletedProcess[bytes]:
    command = ["sh", "-c", f'"$0" -c "$1" {redirection}', sys.executable, code]
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    return subprocess.run(command, capture_output=True, env=environment, check=False)


def test_reserve_stdout_keeps_what_other_code_prints_out_of_the_data() -> None:
    done = run_noise("")
    assert (done.returncode, done.stdout) == (0, "data é\n".encode("latin-1"))
    assert sorted(done.stderr.splitlines()) == [b"C", b"child"]


def test_reserve_stdout_while_libsndfile_prints(tmp_path: Path) -> None:
    """libsndfile prints on stdout if a table of packets in a CAF file ends inside a number."""
    content = io.BytesIO()
    soundfile.write(content, np.sin(np.arange(500) / 9), 16000, format="CAF", subtype="ALAC_16")
    sound = bytearray(content.getvalue())
    place = sound.index(b"data")
    sound[place - 2 : place] = b"\x7f\xff"
    (tmp_path / "x.caf").write_bytes(sound)
    done = run_noise(
        "", NOISE + f"from spiritlm_cli import read_audio\nread_audio({str(tmp_path / 'x.caf')!r})"
    )
    assert done.stdout == "data é\n".encode("latin-1")
    assert b"alac" in done.stderr
    assert b"AudioError" in done.stderr


@pytest.mark.parametrize(
    ("redirection", "stdout"), [("2>&-", b"data \xe9\n"), (">&-", b""), (">&- 2>&-", b"")]
)
def test_reserve_stdout_with_closed_streams(redirection: str, stdout: bytes) -> None:
    done = run_noise(redirection)
    assert (done.returncode, done.stdout) == (0, stdout)


def test_reserve_stdout_leaves_a_file_open_that_took_the_descriptor_of_a_closed_one(tmp_path: Path) -> None:
    code = NOISE + f"open({str(tmp_path / 'x')!r}, 'w').write('content')\nos.system('echo child')"
    run_noise(">&-", code)
    assert (tmp_path / "x").read_text() == "content"


def test_reserve_stdout_leaves_a_replaced_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    replaced = io.StringIO()
    monkeypatch.setattr(sys, "stdout", replaced)
    reserve_stdout()
    assert sys.stdout is replaced


def test_is_stdout() -> None:
    assert all(map(is_stdout, ("-", Path("-"), "/dev/stdout", Path("/dev/fd/1"))))
    assert not any(map(is_stdout, ("", "stdout", "/dev/stderr", "/dev/fd/11")))


def test_a_file_behind_a_descriptor_is_not_truncated(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"before\n")
    (tmp_path / "link").symlink_to("/dev/stderr")
    with path.open("ab") as file:
        name = Path(f"/dev/fd/{file.fileno()}")
        assert is_written_through(name)
        with open_through(name) as through:
            through.write(b"after\n")
    assert path.read_bytes() == b"before\nafter\n"
    assert is_written_through(tmp_path / "link")
    assert is_written_through(Path("/dev/null"))
    for other in (path, tmp_path, tmp_path / "gone", tmp_path / ("x" * 300)):
        assert not is_written_through(other)


@pytest.mark.parametrize(
    ("redirection", "code", "message"),
    [
        ("<&-", "standard_input()", "is closed: 'stdin'"),
        (">&-", "print('x', flush=True)", "Bad file descriptor"),
        ("", "open('/dev/fd/3')", "No such file"),
    ],
)
def test_a_closed_stream_is_an_error_when_it_is_used(redirection: str, code: str, message: str) -> None:
    done = run_noise(
        redirection,
        f"""
from spiritlm_cli.streams import *
open_standard_streams()
try:
    {code}
except OSError as error:
    sys.stderr.write(str(error))
os._exit(0)
""",
    )
    assert message in done.stderr.decode()


def test_a_file_does_not_get_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    code = f"""
from spiritlm_cli.streams import *
open_standard_streams()
file = open({str(tmp_path / "x")!r}, "w")
os.write(2, b"message")
print("dropped", file=sys.stderr)
"""
    assert run_noise("<&- 2>&-", code).returncode == 0
    assert (tmp_path / "x").read_bytes() == b""


def test_set_encodings_writes_utf8_and_the_bytes_of_file_names() -> None:
    code = r"""
import os, sys
from spiritlm_cli.streams import set_encodings
set_encodings()
print("é", os.fsdecode(b"\xff"))
print("é", os.fsdecode(b"\xff"), "\N{SNOWMAN}", file=sys.stderr)
"""
    done = run_noise("", code)
    assert (done.returncode, done.stdout) == (0, "é ".encode() + b"\xff\n")
    assert done.stderr == b"\xe9 \\udcff \\u2603\n"
