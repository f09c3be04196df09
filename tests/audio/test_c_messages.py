import ctypes
import os
import sys

import pytest

from spiritlm_cli.audio.c_messages import drop_c_messages

LIBC = ctypes.CDLL(None)


def write(text: bytes) -> None:
    """Write to C's stderr, which is not buffered."""
    LIBC.fputs(text, ctypes.c_void_p.in_dll(LIBC, "stderr"))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only glibc")
def test_drop_c_messages(capfd: pytest.CaptureFixture[str]) -> None:
    write(b"before\n")
    with drop_c_messages():
        write(b"dropped\n")
        with drop_c_messages():
            write(b"dropped\n")
        write(b"dropped\n")
        print("Python", file=sys.stderr, flush=True)
        os.system("echo child >&2")
    write(b"after\n")
    assert capfd.readouterr().err == "before\nPython\nchild\nafter\n"
