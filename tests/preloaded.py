"""Run commands as forks of one process that has imported the package and its dependencies.

Importing torch and transformers takes most of the time of a short command. Each command is still a process of its own,
with the caller's arguments, environment, working directory and standard streams, and its exit status and signals are
passed on. The server computes nothing itself, so that no thread is lost by a fork.
"""

import atexit
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from spiritlm_cli.cli.lazy import load_command
from spiritlm_cli.cli.main import SPINS

CLIENT = """#!{python} -IS
import json, os, signal, socket, sys

connection = socket.socket(socket.AF_UNIX)
connection.connect({address!r})
request = json.dumps([os.path.basename(sys.argv[0]), sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(connection, [len(request).to_bytes(4, "big")], [0, 1, 2])
for descriptor in (0, 1, 2):
    os.close(descriptor)  # so that pipes end with the command
connection.sendall(request)
pid = int.from_bytes(connection.recv(4), "big")
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, _: os.kill(pid, number))
status = connection.recv(4)
code = os.waitstatus_to_exitcode(int.from_bytes(status, "big")) if status else 1
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
"""


@contextmanager
def serve(folder: Path) -> Iterator[Path]:
    """Start a server; yields a folder with the programs `spiritlm` and `python`, which it runs.

    They wait until it has imported everything.
    """
    address = str(folder / "socket")
    for name in ("spiritlm", "python"):
        program = folder / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(CLIENT.format(python=sys.executable, address=address))
        program.chmod(0o755)
    environment = {**os.environ, "GOMP_SPINCOUNT": SPINS}  # as `spiritlm` sets it before torch is loaded
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        number = listener.fileno()
        command = [sys.executable, __file__, str(number)]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[number], env=environment)
    with server:  # it ends when its stdin is closed
        yield folder / "bin"


def main(number: int) -> None:
    """Accept connections at the socket of this descriptor until stdin is closed; fork a process for each."""
    for name in ("align", "decode", "generate", "inspect", "interleave", "tokenize"):
        load_command(name)
        import_module(f"spiritlm_cli.jobs.{name}")
    for name in (
        "alignment.pocketsphinx",
        "language.model",
        "speech.tokenizer",
        "training.loop",
        "vocoder.vocoder",
    ):
        import_module(f"spiritlm_cli.{name}")
    for name in ("inspection.figures.clip_figure", "inspection.figures.statistics_figure"):
        import_module(f"spiritlm_cli.{name}")  # matplotlib
    for name in (
        "accelerate",
        "pydantic.type_adapter",
        "pydantic.functional_validators",
        "sentencepiece",
        "soundfile",
    ):
        import_module(name)  # pydantic is imported by typer when it parses arguments

    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # handlers are not waited for
    with socket.socket(fileno=number) as listener:
        while True:
            readable, _, _ = select.select([listener, sys.stdin], [], [])
            if listener not in readable:
                return
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                handle(connection)
                return
            connection.close()


def handle(connection: socket.socket) -> None:
    """Run the command of one connection in a fork, and report its process id and wait status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, descriptors, _, _ = socket.recv_fds(connection, 4, 3)
    request = b""
    while len(request) < int.from_bytes(size, "big"):
        request += connection.recv(1 << 16)
    pid = os.fork()
    if pid == 0:
        connection.close()
        run(*json.loads(request), descriptors)
        return
    for descriptor in (0, 1, *descriptors):
        os.close(descriptor)
    connection.sendall(pid.to_bytes(4, "big"))
    process = os.pidfd_open(pid)
    readable, _, _ = select.select([connection, process], [], [])
    if process not in readable:  # the client was killed
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if process in readable:
        connection.sendall(status.to_bytes(4, "big"))
    os._exit(0)


def run(
    program: str, arguments: list[str], folder: str, environment: dict[str, str], descriptors: list[int]
) -> None:
    """Run the command in this process, and end it."""
    for target, descriptor in enumerate(descriptors):
        os.dup2(descriptor, target)
        os.close(descriptor)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [program, *arguments]
    code = "from spiritlm_cli.__main__ import main; main()" if program == "spiritlm" else arguments[1]
    status = 0
    try:
        exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        status = 1
    # What an interpreter does at its end, except freeing all objects, which would copy all memory that was forked.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(status)


if __name__ == "__main__":
    main(int(sys.argv[1]))
