"""Kill every resumable command at random moments, resume it, and compare the result with an uninterrupted run.

    python benchmarks/kill_trials.py --clips FOLDER [--trials 5] [--model nano] [--only generate] [--signal TERM]

The commands run without --seed: the uninterrupted run gets the seed that the journal recorded. Prints a row for each
command: trials, moments of the kills as inputs done, and how many results were byte-identical.
"""

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SPIRITLM = [sys.executable, "-m", "spiritlm_cli"]


@dataclass(frozen=True)
class Trial:
    """A command to interrupt. seconds: a kill comes at a random moment up to this long after the first output."""

    name: str
    arguments: tuple[str, ...]
    output: str
    journal: str | None
    seconds: float
    resume: tuple[str, ...] = ("--resume",)
    ignored: tuple[str, ...] = ()


def trials(clips: Path, work: Path, model: str) -> Iterator[Trial]:
    """The resumable commands, on the clips and on what the commands before them made."""
    texts = "".join(f"t{n}\t[TEXT]the old man number {n} walked to the sea\n" for n in range(120))
    (work / "prompts.txt").write_text(texts)
    named = ("--model", model)
    line = ("out.txt", "out.txt.part.json")
    yield Trial("tokenize", ("tokenize", *named, str(clips), "-o", "out.txt"), *line, 4.0)
    yield Trial("align", ("align", str(clips), "-o", "out.jsonl"), "out.jsonl", "out.jsonl.part.json", 4.0)
    spans = ("--text-words", "1:3", "--speech-words", "1:3", "--copies", "2")
    yield Trial("interleave", ("interleave", *named, str(clips), *spans, "-o", "out.txt"), *line, 4.0)
    prompts = (str(work / "prompts.txt"), "-o", "out.txt")
    yield Trial(
        "generate", ("generate", *named, "--max-new-tokens", "40", "--num-samples", "2", *prompts), *line, 4.0
    )
    yield Trial("generate --score", ("generate", *named, "--score", *prompts), *line, 0.5)
    units = str(work / "units.txt")
    run("tokenize", *named, str(clips), "-o", units)
    yield Trial("decode", ("decode", *named, units, "-o", "out/"), "out", "out/.part.json", 4.0)
    if Path(model).is_dir():
        convert = ("models", "convert", model, "-o", "out")
        yield Trial("models convert", convert, "out", None, 1.0, resume=())
    words = ("--text", str(work / "text.txt"), "--lines", units, "--steps", "60", "--save-every", "5")
    (work / "text.txt").write_text("".join(f"the old man number {n} walked to the sea\n" for n in range(400)))
    size = ("--dim", "32", "--layers", "1", "--heads", "2", "--ffn", "48", "--context", "64", "--batch", "2")
    train = ("train", "lm", *words, *size, "--vocabulary", "290", "--device", "cpu", "--no-bf16", "-o", "out")
    yield Trial("train lm", train, "out", None, 4.0, ignored=("training",))


def run(*arguments: str, cwd: Path | None = None) -> None:
    """Run a command to its end."""
    subprocess.run([*SPIRITLM, *arguments], cwd=cwd, check=True, stderr=subprocess.DEVNULL)


def wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait for a process to end, for so many seconds at the most."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)


def interrupt(trial: Trial, cwd: Path, chance: random.Random, how: signal.Signals) -> bool:
    """Start a command and kill it at a random moment after it began to write. Returns whether it was still running."""
    process = subprocess.Popen([*SPIRITLM, *trial.arguments], cwd=cwd, stderr=subprocess.DEVNULL)
    begun = cwd / (trial.journal or trial.output)
    while process.poll() is None and not begun.exists():
        wait(process, 0.02)
    wait(process, chance.uniform(0, trial.seconds))
    running = process.poll() is None
    process.send_signal(how)
    process.wait()
    return running


def content(path: Path, ignored: tuple[str, ...]) -> dict[str, bytes]:
    """The files of an output, by their paths in it."""
    if path.is_file():
        return {"": path.read_bytes()}
    files = (file for file in path.rglob("*") if file.is_file())
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in files
        if file.relative_to(path).parts[0] not in ignored
    }


def attempt(trial: Trial, folder: Path, chance: random.Random, how: signal.Signals) -> tuple[str, bool]:
    """One trial: kill, resume, and an uninterrupted run. Returns what was done at the kill, and whether they agree."""
    killed, whole = folder / "killed", folder / "whole"
    for path in (killed, whole):
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
    running = interrupt(trial, killed, chance, how)
    seed: tuple[str, ...] = ()
    done = "ended" if not running else "killed"
    if trial.journal and (killed / trial.journal).is_file():
        journal = json.loads((killed / trial.journal).read_text())
        done = str(journal["done"]["inputs"])
        if journal["settings"].get("seed") is not None:
            seed = ("--seed", str(journal["settings"]["seed"]))
    elif running and trial.journal:
        return "before the journal", True
    if running:
        run(*trial.arguments, *trial.resume, cwd=killed)
    run(*trial.arguments, *seed, cwd=whole)
    same = content(killed / trial.output, trial.ignored) == content(whole / trial.output, trial.ignored)
    left = [*killed.rglob("*.part*"), *killed.rglob(".tmp*")]
    return done, same and not left


def main() -> None:
    """Run the trials."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--clips", type=Path, required=True, help="folder of audio files with x.txt beside x.wav"
    )
    parser.add_argument("--trials", type=int, default=5)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--only")
    parser.add_argument("--signal", choices=("KILL", "TERM", "INT", "HUP"), default="KILL")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    how = signal.Signals[f"SIG{arguments.signal}"]
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        for trial in trials(arguments.clips.resolve(), work, arguments.model):
            if arguments.only and trial.name != arguments.only:
                continue
            results = [attempt(trial, work / "trial", chance, how) for _ in range(arguments.trials)]
            moments = ", ".join(moment for moment, _ in results)
            print(
                f"{trial.name:18} {sum(same for _, same in results)}/{len(results)} identical; killed at: {moments}",
                flush=True,
            )


if __name__ == "__main__":
    main()
