"""The script that a lent GPU runs, with a `python3` that writes its arguments instead."""

import os
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu" / "run.sh"
PYTHON = """#!/bin/sh
echo "$*" | sed "s:[^ ]*/::g"
case "$*" in
  *train.py*)
    for last; do :; done
    mkdir -p "$last/trial"
    echo weights > "$last/a.safetensors"
    echo others > "$last/trial/b.safetensors" ;;
  *timings.py*) exit 3 ;;
esac
echo '{"figure": 1}'
"""


def run(folder: Path, **environment: str) -> str:
    (folder / "bin").mkdir()
    python = folder / "bin" / "python3"
    python.write_text(PYTHON)
    python.chmod(0o755)
    result = subprocess.run(
        ["bash", str(SCRIPT), "lm.tar", "hubert.tar", str(folder / "out")],
        env={**os.environ, **environment, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert not result.stderr
    return result.stdout


def test_run_measures_and_trains_within_nine_minutes(tmp_path: Path) -> None:
    lines = run(tmp_path).splitlines()
    parts = [line.partition(": status ") for line in lines if ": status " in line]
    assert [name for name, _, _ in parts] == ["tests", "timings", "speed-nano", "speed-350m", "lm", "hubert"]
    # a part that fails does not end the others
    assert [rest[0] for _, _, rest in parts] == ["0", "3", "0", "0", "0", "0"]
    limits = [int(rest.split(" of ")[1].split()[0]) for _, _, rest in parts]
    kills = 3 * len(limits)
    assert sum(limits) + kills <= 9 * 60
    commands = (tmp_path / "out" / "log").read_text().splitlines()
    speed = [command for command in commands if command.startswith("training.py")]
    assert ["350m" in command and "--device cuda" in command for command in speed] == [False, True]
    trained = [command for command in commands if command.startswith("train.py")]
    asked = [int(command.split("--seconds ")[1].split()[0]) for command in trained]
    assert all(seconds < limit for seconds, limit in zip(asked, limits[4:], strict=True))
    assert (tmp_path / "out" / "figures.jsonl").read_text() == '{"figure": 1}\n' * 5
    for part in ("lm", "hubert"):
        assert (tmp_path / "out" / f"{part}.safetensors").read_text() == "weights\n"


def test_run_takes_another_budget_and_device(tmp_path: Path) -> None:
    output = run(tmp_path, BUDGET="100", DEVICE="cpu")
    assert "speed-350m: status 0, " in output
    assert " of 17 s" in output
    log = (tmp_path / "out" / "log").read_text()
    assert "cuda --" not in log
    assert log.count("--device cpu") == 5
