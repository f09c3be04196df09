"""Measure the wall-clock time of whole commands, from cold start to their last byte.

    python benchmarks/startup.py [--runs 5] [--recording FILE]

Prints the median, minimum and maximum over the runs for `spiritlm --help`, for `spiritlm tokenize` of the first five
seconds of a recording, and for `tokenize | generate | decode` of the same to a file. The checkpoint is nano, or the one
in $SPIRITLM_CHECKPOINTS_DIR.
"""

import argparse
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import soundfile

import spiritlm_cli

BUNDLED = Path(spiritlm_cli.__file__).parent / "assets" / "7143-88743-0029.flac"
SECONDS = 5


def wall_clock(command: str) -> float:
    """Return the seconds that a shell command takes; exit if any part of it fails."""
    start = time.perf_counter()
    result = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - start
    if result.returncode:
        sys.exit(f"{command}\nexit status {result.returncode}\n{result.stderr.strip()}")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=5, help="runs of each command (default: 5)")
    parser.add_argument("--recording", type=Path, default=BUNDLED, help="audio file of five seconds or more")
    arguments = parser.parse_args()

    spiritlm = shlex.quote(str(Path(sys.executable).with_name("spiritlm")))
    with tempfile.TemporaryDirectory() as folder:
        clip, decoded = Path(folder, "clip.wav"), Path(folder, "out.wav")
        samples, rate = soundfile.read(arguments.recording, dtype="float32")
        soundfile.write(clip, samples[: SECONDS * rate], rate)
        source, target = shlex.quote(str(clip)), shlex.quote(str(decoded))
        commands = {
            "--help": f"{spiritlm} --help",
            f"tokenize, {SECONDS} s": f"{spiritlm} tokenize {source}",
            f"tokenize | generate | decode, {SECONDS} s": (
                f"{spiritlm} tokenize {source} | {spiritlm} generate --seed 0 | {spiritlm} decode -o {target}"
            ),
        }
        print(f"{os.cpu_count()} CPUs, {arguments.runs} runs; seconds: median (fastest–slowest)")
        for name, command in commands.items():
            seconds = [wall_clock(command) for _ in range(arguments.runs)]
            print(f"{name:40} {statistics.median(seconds):6.2f} ({min(seconds):.2f}–{max(seconds):.2f})")


if __name__ == "__main__":
    main()
