"""Interrupt commands at random moments by Ctrl-C and SIGTERM, and report their exit statuses and what they print.

    python benchmarks/signal_trials.py --clips FOLDER [--trials 20] [--model nano] [--only generate]

Half of the signals come in the first 0.6 seconds, while the interpreter starts and modules are imported, the others at
any moment of the run. SIGINT is sent to all processes of the command, as a terminal does. Prints a row for each command
and signal: how often it ended with 130 or 143, how often something else than the line about what is kept was printed,
and how many temporary files were left.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from kill_trials import SPIRITLM, Trial, trials

EARLY = 0.6  # seconds
SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass
class Row:
    """The results of a command and a signal. statuses: how often each exit status; texts: what was printed."""

    statuses: Counter[str] = field(default_factory=Counter)
    texts: list[str] = field(default_factory=list)
    kept: int = 0
    left: int = 0


def interrupt(trial: Trial, folder: Path, how: signal.Signals, seconds: float, row: Row) -> None:
    """Run a command in an empty folder, and send a signal after so many seconds."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    process = subprocess.Popen(
        [*SPIRITLM, *trial.arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    if process.poll() is None:
        if how == signal.SIGINT:
            os.killpg(process.pid, how)
        else:
            process.send_signal(how)
    _, text = process.communicate(timeout=120)
    row.statuses[str(process.returncode)] += 1
    lines = text.splitlines()
    row.kept += any(line.startswith("spiritlm: stopped:") for line in lines)
    # What an ended command prints, such as its summary, is not meant.
    if process.returncode != 0:
        other = [line for line in lines if not line.startswith("spiritlm: ")]
        if other:
            row.texts.append(f"at {seconds:.2f} s: {other[-1]}")
    row.left += sum(1 for _ in folder.rglob(".tmp*"))


def duration(trial: Trial, folder: Path) -> float:
    """Seconds that a command takes."""
    began = time.monotonic()
    interrupt(trial, folder, signal.SIGINT, 600, Row())
    return time.monotonic() - began


def main() -> None:
    """Run the trials."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--clips", type=Path, required=True, help="folder of audio files with x.txt beside x.wav"
    )
    parser.add_argument("--trials", type=int, default=20, help="for each command and signal")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--only")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    print(
        f"{'command':18} {'signal':8} {'exit statuses':34} {'kept':>4} {'other text':>10} {'files left':>10}"
    )
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        for trial in trials(arguments.clips.resolve(), work, arguments.model):
            if arguments.only and trial.name != arguments.only:
                continue
            seconds = duration(trial, work / "trial")
            for how in SIGNALS:
                row = Row()
                for number in range(arguments.trials):
                    latest = EARLY if number % 2 else seconds
                    interrupt(trial, work / "trial", how, chance.uniform(0, latest), row)
                statuses = ", ".join(f"{status}: {count}" for status, count in sorted(row.statuses.items()))
                print(
                    f"{trial.name:18} {how.name:8} {statuses:34} {row.kept:4} {len(row.texts):10} {row.left:10}",
                    flush=True,
                )
                for text in row.texts:
                    print(f"    {text}", flush=True)


if __name__ == "__main__":
    main()
