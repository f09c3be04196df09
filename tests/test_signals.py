import signal
import subprocess
import sys

import pytest

from spiritlm_cli.signals import without_interrupts

PROGRAM = """
import os, signal, sys
from spiritlm_cli.signals import end_on_signals, on_signal
end_on_signals()
def clean(name, message):
    os.write(1, name)
    return message
"""


def run(code: str, *before: str) -> subprocess.CompletedProcess[str]:
    command = [*before, sys.executable, "-c", PROGRAM + code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_ends_the_process_after_its_cleanups(name: str, status: int) -> None:
    done = run(f"""
with on_signal(lambda: clean(b"closed", "not printed")):
    pass
with on_signal(lambda: clean(b"outer ", None)), on_signal(lambda: clean(b"inner ", "what is kept")):
    with on_signal(lambda: 1 / 0):
        os.kill(os.getpid(), signal.{name})
print("not reached")
""")
    assert (done.returncode, done.stdout, done.stderr) == (
        status,
        "inner outer ",
        "spiritlm: what is kept\n",
    )


def test_a_signal_in_a_callback_that_drops_exceptions_ends_the_process() -> None:
    done = run("""
class Freed:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
freed = Freed()
del freed
print("not reached")
""")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_a_forked_process_leaves_the_cleanups_to_its_parent() -> None:
    done = run("""
with on_signal(lambda: clean(b"cleaned", None)):
    child = os.fork()
    if not child:
        os.kill(os.getpid(), signal.SIGTERM)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
""")
    assert (done.returncode, done.stdout) == (0, "143\n")


def test_an_ignored_signal_stays_ignored() -> None:
    done = run('os.kill(os.getpid(), signal.SIGHUP)\nprint("reached")', "nohup")
    assert (done.returncode, done.stdout) == (0, "reached\n")


def test_processes_started_without_interrupts() -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGINT); print('reached')"
    with without_interrupts():
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "reached\n")
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_cleanup_that_waits_forever_is_given_up() -> None:
    done = run("""
import threading
import spiritlm_cli.signals
spiritlm_cli.signals._PATIENCE = 1
lock = threading.Lock()
with on_signal(lambda: lock.acquire()), lock:
    os.kill(os.getpid(), signal.SIGTERM)
""")
    assert (done.returncode, done.stderr) == (143, "")
