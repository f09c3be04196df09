"""Run recorded command lines again and compare what they print and write with the recorded answers.

`data/recorded_commands/cases.yaml` holds the command lines, written by hand; `answers.json` beside it holds what they
printed and wrote. Record a case again only if its difference is intended, or if the weights of nano have changed:

    python tests/test_recorded_commands.py --record [PATTERN ...]

PATTERN is a case name with wildcards, such as 'nano-*'. Without a pattern, only cases that have no answer are recorded.

Units, text and sampled tokens are compared exactly. Results that differ between processors are compared within a
tolerance: sound by its length and some samples, weights by their shapes and mean magnitude, and the numbers of a case
within its `tolerance`.
"""

import fnmatch
import hashlib
import io
import json
import math
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import yaml
from release_tree import write_release_tree
from safetensors import safe_open
from typer.testing import CliRunner, Result

from spiritlm_cli.cli.main import app


def run_command(arguments: list[str], stdin: bytes) -> Result:
    """Run `spiritlm` in this process: the one place that depends on where the command is defined."""
    return CliRunner().invoke(app, arguments, input=stdin, catch_exceptions=False)


FOLDER = Path(__file__).parent / "data" / "recorded_commands"
ANSWERS = FOLDER / "answers.json"
RECORDING = Path(__file__).parent.parent / "spiritlm_cli" / "assets" / "7143-88743-0029.flac"
TEXT = "and a strip of cow skin for a belt to hold it in."  # of the recording's first three seconds
VERBATIM = 2000  # bytes; longer text is recorded by its hash
CASES: list[dict[str, Any]] = yaml.safe_load((FOLDER / "cases.yaml").read_text(encoding="utf-8"))

# Files that a command keeps while it runs or in order to resume.
PRIVATE = ("*.part", "*.part.*", ".*", "converted.json", "training/*")
# Weights whose bytes depend on the release of a library.
OPAQUE = (".model", ".bin", ".pt")
SOUND = (".wav", ".flac", ".ogg")
SOUND_OF = "sound of"  # the description of a sound begins with this
SOUND_TOLERANCE = 0.01  # of full scale


def write_inputs(folder: Path) -> None:
    """Write the files that all cases may read: sounds, a corpus with texts, a benchmark, and a long prompt."""
    samples, rate = soundfile.read(RECORDING, dtype="int16")

    def write(name: str, start: float, end: float) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples[int(start * rate) : int(end * rate)], rate)

    write("sounds/one.wav", 1, 2)
    write("sounds/two.wav", 2.5, 4.5)
    write("sounds/deep/three.wav", 0, 3)
    write("other/short.wav", 1, 1.01)
    stereo = np.stack([samples[rate : 2 * rate], samples[2 * rate : 3 * rate]], axis=1)
    soundfile.write(folder / "other/stereo.wav", stereo, rate)
    (folder / "other/noise.txt").write_text("not sound\n")
    for name in ("robin/a", "b"):
        write(f"corpus/{name}.wav", 0, 3)
        (folder / f"corpus/{name}.lab").write_text(TEXT + "\n")
    for place, name in enumerate(("dev/w1", "dev/n1", "dev/w2", "dev/n2", "test/t1", "test/t2"), 4):
        write(f"zerospeech/lexical/{name}.wav", 0.3 * place, 0.3 * (place + 1))
    (folder / "zerospeech/lexical/dev/gold.csv").write_text(
        "filename,id,voice,frequency,word,phones,length,correct\n"
        "w1,1,x,3,cat,K AE T,3,1\nn1,1,x,3,cak,K AE K,3,0\nw2,2,x,0,dog,D AO G,3,1\nn2,2,x,0,dob,D AO B,3,0\n"
    )
    (folder / "long.txt").write_text(f"a\t[TEXT]The old man\nb\t{'[Hu5]' * 5000}\nc\t[TEXT]The old man\n")


def run_case(case: dict[str, Any], inputs: Path, release: Path, folder: Path) -> dict[str, Any]:
    """Run a case's commands in the folder, which is also the working directory; return what is to be recorded."""
    shutil.copytree(inputs, folder, dirs_exist_ok=True)
    # A folder of this name, since headers have it; `models convert` refuses symbolic links out of it.
    shutil.copytree(release, folder / "release", copy_function=os.link)
    steps: list[dict[str, Any]] = []
    stdout = b""
    given = set(files_of(folder))
    for step in case.get("steps", [case]):
        for name, text in step.get("write", {}).items():
            (folder / name).write_text(text, encoding="utf-8")
            given.add(name)
        for name, source in step.get("copy", {}).items():
            shutil.copy(folder / source, folder / name)
            given.add(name)
        result = run_step(step, stdout, folder)
        stdout = result.stdout_bytes
        steps.append({"status": result.exit_code, **describe_output(stdout, step, case)})
    for one, other in case.get("same", []):
        assert (folder / one).read_bytes() == (folder / other).read_bytes(), f"{one} is not {other}"
    if not result.exit_code:
        left = [path.name for path in folder.rglob("*.part*")]
        assert not left, f"{left} left after a run that succeeded"
    written = [name for name in files_of(folder) if name not in given]
    return {"steps": steps, "files": {name: describe_file(folder, name, case) for name in written}}


def run_step(step: dict[str, Any], before: bytes, folder: Path) -> Result:
    """Run a step's command and check what stderr must contain. before: stdout of the step before it."""
    stdin = before if step.get("pipe") else step.get("stdin", "").encode()
    if "stdin_file" in step:
        stdin = (folder / step["stdin_file"]).read_bytes()
    result = run_command(shlex.split(step["run"]), stdin)
    message = " ".join(result.stderr.replace("│", " ").split())
    facts = step.get("stderr", [])
    missing = [fact for fact in facts if fact not in message]
    assert not missing, f"{step['run']}: {missing} not in: {message}"
    assert facts or not result.exit_code, f"{step['run']}: the case has no `stderr`: {message}"
    return result


def describe_output(stdout: bytes, step: dict[str, Any], case: dict[str, Any]) -> dict[str, Any]:
    """What is recorded of a step's stdout: nothing, the numbers of a table, or all of it."""
    if step.get("unrecorded"):
        return {}
    if step.get("numbers"):
        return {"numbers": " ".join(NUMBER.findall(stdout.decode()))}
    return {"stdout": describe(stdout, case)}


def files_of(folder: Path) -> Iterator[str]:
    """Names of the files in the folder, without private files of the commands and `release`."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith("release/"):
            private = any(fnmatch.fnmatch(n, pattern) for pattern in PRIVATE for n in (name, path.name))
            if not (private or any(part == "training" for part in path.relative_to(folder).parts[:-1])):
                yield name


def describe_file(folder: Path, name: str, case: dict[str, Any]) -> Any:
    """What is recorded of a file that was written."""
    path = folder / name
    if path.suffix in OPAQUE:
        return "written"
    if path.suffix == ".errors":  # id and reason of each failure, and reasons are sentences
        return [line.split("\t")[0] for line in path.read_text(encoding="utf-8").splitlines()]
    if path.suffix == ".safetensors":
        return describe_tensors(path)
    return describe(path.read_bytes(), case, sound=path.suffix in SOUND)


def describe(content: bytes, case: dict[str, Any], sound: bool = False) -> Any:
    """What is recorded of bytes: lines of text, the hash of a long one, or the shape of a sound."""
    if sound or content.startswith(b"RIFF"):
        return describe_sound(content)
    # The fingerprint of a tokenizer depends on how torch pickles its weights.
    text = re.sub(r"(?m)^(#spiritlm .*tokenizer=)\w+", r"\1…", content.decode())
    lines = text.split("\n")
    if len(content) <= VERBATIM or "tolerance" in case:
        return lines
    return {"sha256": hashlib.sha256(text.encode()).hexdigest(), "lines": len(lines)}


def describe_sound(content: bytes) -> str:
    """Rate, samples, root mean square of every 100 ms, and a sample of every 20 ms."""
    samples, rate = soundfile.read(io.BytesIO(content), dtype="float64")
    blocks = [samples[i : i + rate // 10] for i in range(0, len(samples), rate // 10)]
    loudness = " ".join(f"{np.sqrt(np.mean(block**2)):.3f}" for block in blocks)
    points = " ".join(f"{sample:.3f}" for sample in samples[:: rate // 50])
    return f"{SOUND_OF} {rate} Hz, {len(samples)} samples, rms {loudness}, every 20 ms {points}"


def describe_tensors(path: Path) -> dict[str, Any]:
    """Number and size of a file's tensors, a hash of their names and shapes, and their mean magnitude."""
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
    shapes = "".join(f"{name} {tensor.dtype} {list(tensor.shape)}\n" for name, tensor in tensors.items())
    return {
        "tensors": len(tensors),
        "numbers": sum(tensor.numel() for tensor in tensors.values()),
        "sha256": hashlib.sha256(shapes.encode()).hexdigest(),
        "magnitude": float(np.mean([tensor.double().abs().mean().item() for tensor in tensors.values()])),
    }


def as_json(answers: Any) -> str:
    """The form in which answers are stored."""
    return json.dumps(answers, ensure_ascii=False, indent=1)


NUMBER = re.compile(r"-?\d+\.\d+(?:e[-+]?\d+)?")


def snap_numbers(found: Any, recorded: Any, tolerance: float | None) -> Any:
    """The answer found, with each number replaced by the recorded one if it is within the tolerance."""
    if isinstance(found, dict) and isinstance(recorded, dict):
        return {key: snap_numbers(value, recorded.get(key), tolerance) for key, value in found.items()}
    if isinstance(found, list) and isinstance(recorded, list) and len(found) == len(recorded):
        return [snap_numbers(one, other, tolerance) for one, other in zip(found, recorded, strict=True)]
    if isinstance(found, float) and isinstance(recorded, float):
        return recorded if math.isclose(found, recorded, rel_tol=0.02, abs_tol=0.002) else found
    if isinstance(found, str) and isinstance(recorded, str):
        if found.startswith(SOUND_OF):
            tolerance = SOUND_TOLERANCE
        if tolerance is None:
            return found
        most = tolerance
        known = iter(NUMBER.findall(recorded))

        def nearest(number: re.Match[str]) -> str:
            wanted = next(known, "nan")
            return wanted if abs(float(number[0]) - float(wanted)) <= most else number[0]

        return NUMBER.sub(nearest, found)
    return found


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    write_inputs(folder)
    return folder


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # models are tiny: threads would only wait for one another
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def answers() -> dict[str, Any]:
    return json.loads(ANSWERS.read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES])
def test_recorded_command(
    case: dict[str, Any],
    answers: dict[str, Any],
    inputs: Path,
    release_tree: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("SPIRITLM_CHECKPOINTS_DIR", raising=False)
    found = run_case(case, inputs, release_tree, tmp_path)
    recorded = answers[case["name"]]
    # As lines, so that pytest shows the first that differs.
    lines, wanted = (
        as_json(it).split("\n") for it in (snap_numbers(found, recorded, case.get("tolerance")), recorded)
    )
    assert lines == wanted


def test_each_recorded_command_has_a_case(answers: dict[str, Any]) -> None:
    assert sorted(answers) == sorted(case["name"] for case in CASES)


def record(patterns: list[str]) -> None:
    """Record the cases whose names match a pattern, and those that have no answer yet."""
    before = json.loads(ANSWERS.read_text(encoding="utf-8")) if ANSWERS.exists() else {}
    recorded = {}
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary, pytest.MonkeyPatch.context() as patch:
        inputs, release = Path(temporary, "inputs"), Path(temporary, "release")
        for folder in (inputs, release):
            folder.mkdir()
        write_inputs(inputs)
        write_release_tree(release)
        patch.setenv("COLUMNS", "80")
        patch.delenv("SPIRITLM_CHECKPOINTS_DIR", raising=False)
        for number, case in enumerate(CASES):
            name = case["name"]
            if name in before and not any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
                recorded[name] = before[name]
                continue
            folder = Path(temporary, str(number))
            folder.mkdir()
            patch.chdir(folder)
            try:
                recorded[name] = run_case(case, inputs, release, folder)
            except AssertionError as error:
                print(f"{name} is not recorded: {error}", flush=True)
            else:
                print(f"{name}: {[step['status'] for step in recorded[name]['steps']]}", flush=True)
        patch.chdir(Path(__file__).parent)
    ANSWERS.write_text(as_json(recorded) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] != ["--record"]:
        sys.exit(__doc__)
    record(sys.argv[2:])
