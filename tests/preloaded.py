"""Run commands as forks of one process that has imported the package and its dependencies.

Importing torch and transformers takes most of the time of a short command. Each command is still a process of its own,
with the caller's arguments, environment, working directory and standard streams, and its exit status and signals are
passed on. The server computes nothing itself, so that no thread is lost by a fork.

The processes of pytest-xdist are such forks too: they import what the tests need only once.
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
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType

from spiritlm_cli.cli.lazy import load_command
from spiritlm_cli.cli.main import SPINS

# Each program, and whether it is forked from a process that has imported transformers and what only tests import too.
PROGRAMS = {"spiritlm": True, "python": False, "python-for-tests": True}

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
    """Start a server; yields a folder with the programs of `PROGRAMS`, which it runs.

    They wait until it has imported everything.
    """
    environment = {**os.environ, "GOMP_SPINCOUNT": SPINS}  # as `spiritlm` sets it before torch is loaded
    (folder / "bin").mkdir()
    addresses = {complete: str(folder / f"socket-{int(complete)}") for complete in (False, True)}
    for name, complete in PROGRAMS.items():
        program = folder / "bin" / name
        program.write_text(CLIENT.format(python=sys.executable, address=addresses[complete]))
        program.chmod(0o755)
    with ExitStack() as stack:
        numbers = []
        for address in addresses.values():
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(address)
            listener.listen()
            numbers.append(listener.fileno())
        command = [sys.executable, __file__, *map(str, numbers)]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=numbers, env=environment)
    with server:  # it ends when its stdin is closed
        yield folder / "bin"


def main(basic: int, complete: int) -> None:
    """Accept connections at the sockets of these descriptors until stdin is closed.

    Those at `basic` are served by a fork that has not imported transformers.
    """
    gc.disable()  # all that is imported stays
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
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # forks are not waited for
    if os.fork() == 0:
        accept(basic)
        return
    from spiritlm_cli.language.quantization import suppress_import_warnings  # with torch

    with suppress_import_warnings():
        for name in (
            "alignment.ctc_loading",
            "evaluation.abx",
            "language.transformers_loading",
            "training.lora",
        ):
            import_module(f"spiritlm_cli.{name}")
        for name in ("peft", "pytest", "sklearn.cluster"):
            import_module(name)
    accept(complete)


def accept(number: int) -> None:
    """Accept connections at the socket of this descriptor until stdin is closed; fork a process for each."""
    gc.freeze()
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
    gc.enable()
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
    if program == "spiritlm":
        code = "from spiritlm_cli.__main__ import main; main()"
    else:
        code = arguments[arguments.index("-c") + 1]
    sys.modules["__main__"] = ModuleType("__main__")
    status = 0
    try:
        exec(compile(code, "<string>", "exec"), sys.modules["__main__"].__dict__)
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
    main(*map(int, sys.argv[1:]))
