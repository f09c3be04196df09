"""Calls in a process of its own, so that a check that crashes or hangs costs its own result only.

A package whose compiled parts don't fit the processor or another package ends the process that imports it.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from types import TracebackType
from typing import Any

from spiritlm_cli.console import is_verbose, log
from spiritlm_cli.profiling.checks.finding import Finding, reason
from spiritlm_cli.signals import on_signal

# Seconds after which a call is given up. Over a network file system, torch may take minutes to be imported.
PATIENCE = 600.0


@dataclass(frozen=True)
class CallResult:
    """What a call returned, or why it failed; error is None for a call that returned."""

    findings: tuple[Finding, ...] = ()
    error: str | None = None


class IsolatedProcess:
    """A Python process that calls functions of this package, one after another; use it as a context manager.

    It imports from the same folders as this process. It starts with the first call, and again after a crash. What its
    libraries print is dropped, or goes to stderr with `--verbose`.
    """

    def __init__(self, patience: float = PATIENCE) -> None:
        """patience: seconds after which a call is given up."""
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None
        self._cleanup = ExitStack()

    def __enter__(self) -> "IsolatedProcess":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def call(self, function: str, *arguments: str | None) -> CallResult:
        """Call a function that returns findings. function: `MODULE:NAME`, in this package."""
        log.info("checking: %s", " ".join([function, *map(str, arguments)]))
        try:
            process = self._process or self._start()
            assert process.stdin is not None
            process.stdin.write(json.dumps([function, *arguments]).encode() + b"\n")
            process.stdin.flush()
            line = self._read_line(process)
        except OSError as error:
            self._end()
            return CallResult(error=reason(error))
        if line is None:
            process.kill()
            self._end()
            return CallResult(error=f"no result within {self._patience:g} s")
        if not line.endswith(b"\n"):
            return CallResult(error=_ending(self._end()))
        answer = json.loads(line)
        return CallResult(tuple(Finding(**one) for one in answer["findings"]), answer["error"])

    def _start(self) -> "subprocess.Popen[bytes]":
        # Not `-m`, for which Python would search the working folder first.
        code = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import answer_calls; answer_calls()"
        self._process = process = subprocess.Popen(
            [sys.executable, "-c", code],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if is_verbose() else subprocess.DEVNULL,
            # A check downloads nothing.
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )
        self._cleanup.enter_context(on_signal(process.kill))
        return process

    def _read_line(self, process: "subprocess.Popen[bytes]") -> bytes | None:
        """Return a line; less than one if the process has ended, and None if there is none in time."""
        assert process.stdout is not None
        line, deadline = b"", time.monotonic() + self._patience
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
                return None
            block = os.read(process.stdout.fileno(), 1 << 16)
            if not block:
                break
            line += block
        return line

    def _end(self) -> int:
        """End the process. Returns its exit status, negative for a signal."""
        process, self._process = self._process, None
        if process is None:
            return 0
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.stdout.close()
        try:
            process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._cleanup.close()
        return process.returncode


def _ending(status: int) -> str:
    if status >= 0:
        return f"Python ended, with exit status {status}"
    try:
        return f"Python was ended by {signal.Signals(-status).name} ({signal.strsignal(-status)})"
    except ValueError:
        return f"Python was ended by signal {-status}"


def answer_calls() -> None:
    """Answer the calls on stdin until it ends: the main function of an `IsolatedProcess`."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        function, *arguments = json.loads(line)
        answers.write(json.dumps(_answer(function, arguments)) + "\n")
        answers.flush()
    # Threads of libraries may not end.
    os._exit(0)


def _answer(function: str, arguments: list[Any]) -> dict[str, Any]:
    module, _, name = function.partition(":")
    try:
        found = getattr(import_module(f"spiritlm_cli.{module}"), name)(*arguments)
        return {"findings": [finding.to_json() for finding in found], "error": None}
    # A package may end Python (SystemExit) when it is imported.
    except BaseException as error:
        return {"findings": [], "error": reason(error)}
