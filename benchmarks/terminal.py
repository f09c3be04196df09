"""Run commands in a real terminal, and show what its screen looked like.

    python benchmarks/terminal.py --columns 60 120

Needs tmux. Each scene is run in a shell of its own, in a folder of small inputs; the screens are captured while it runs
and printed as Markdown. A scene with a key presses it (Ctrl-C) as soon as its text is on the screen.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import soundfile

from spiritlm_cli.profiling.clips import RECORDING

PROMPT = "$ "
BAR = ("━", "╸", "╺")
PATIENCE = 180  # seconds for one scene
ROWS = 24


@dataclass(frozen=True)
class Scene:
    """A command line, and what is shown of it. interrupt: text on the screen at which Ctrl-C is pressed."""

    name: str
    command: str
    interrupt: str | None = None


SCENES = (
    Scene("The pipe", "spiritlm tokenize in.wav | spiritlm generate --seed 1 | spiritlm decode -o out.wav"),
    Scene("The pipe, over many files", "spiritlm tokenize --ids clips/ | spiritlm decode -o sounds/"),
    Scene(
        "Tokens on the screen",
        "spiritlm tokenize --ids clips/c01.wav clips/c02.wav --units base | cut -c 1-40",
    ),
    Scene("One command", "spiritlm tokenize clips/ -o tokens.txt"),
    Scene("A failed input", "spiritlm tokenize clips/ no.wav --on-error skip -o tokens.txt | cat"),
    Scene("Scores", "spiritlm evaluate pairs pairs.tsv"),
    Scene("Training", "spiritlm train pitch --manifest clips.tsv -o new --steps 150 --batch 4 --seconds 1"),
    Scene(
        "Ctrl-C in the pipe",
        "spiritlm tokenize --ids clips/ | spiritlm generate | spiritlm decode -o more/",
        "━",
    ),
    Scene("Ctrl-C in one command", "spiritlm tokenize clips/ -o again.txt --batch-seconds 1", "2/"),
    Scene("Ctrl-C in evaluate", "spiritlm evaluate pairs pairs.tsv", "━"),
    Scene(
        "Ctrl-C in train",
        "spiritlm train pitch --manifest clips.tsv -o other --seconds 1 --batch 4",
        "30/",
    ),
)


def write_inputs(folder: Path) -> None:
    """Write a recording, a folder and a manifest of clips of it, and a table of pairs."""
    samples, rate = soundfile.read(RECORDING, dtype="int16")
    soundfile.write(folder / "in.wav", samples, rate)
    (folder / "clips").mkdir()
    rows = ["id\taudio\ttext"]
    for index in range(16):
        name = f"c{index:02d}"
        start = index * rate // 2
        soundfile.write(folder / f"clips/{name}.wav", samples[start : start + 2 * rate], rate)
        rows.append(f"{name}\tclips/{name}.wav\tthe cat sat")
    (folder / "clips.tsv").write_text("\n".join(rows) + "\n")
    words = ["cat", "dog", "bird", "house", "river", "stone", "garden", "letter", "window", "story"]
    pairs = [
        f"{word}{n}\t[TEXT]The {word} is here.\t[TEXT]The here {word} is." for word in words for n in range(8)
    ]
    (folder / "pairs.tsv").write_text("id\tgood\tbad\n" + "\n".join(pairs) + "\n")


class Terminal:
    """A shell in tmux, of a number of columns."""

    def __init__(self, folder: Path, columns: int) -> None:
        self.server = ["tmux", "-L", f"spiritlm-{os.getpid()}", "-f", os.devnull]
        program = str(Path(sys.executable).parent)
        environment = {
            **os.environ,
            "PATH": f"{program}:{os.environ['PATH']}",
            "PS1": PROMPT,
            "LC_ALL": "C.UTF-8",
        }
        for name in ("COLUMNS", "LINES", "TMUX"):
            environment.pop(name, None)
        size = ["-x", str(columns), "-y", str(ROWS)]
        shell = ["env", f"PS1={PROMPT}", "bash", "--norc", "--noprofile"]
        subprocess.run(
            [*self.server, "new-session", "-d", *size, *shell], cwd=folder, env=environment, check=True
        )

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run([*self.server, "kill-server"], check=False)

    def send(self, *keys: str) -> None:
        """Press keys, by tmux's names."""
        subprocess.run([*self.server, "send-keys", *keys], check=True)

    def screen(self) -> list[str]:
        """The lines on the screen, without empty ones at its end."""
        output = subprocess.run(
            [*self.server, "capture-pane", "-p"], capture_output=True, text=True, check=True
        ).stdout
        return output.rstrip("\n ").splitlines()

    def play(self, scene: Scene) -> Iterator[list[str]]:
        """Run a scene; yield the screens that differ from the one before."""
        self.send("clear", "Enter")
        while self.screen() != [PROMPT.rstrip()]:
            pass
        self.send("-l", scene.command)
        self.send("Enter")
        before: list[str] = []
        interrupted = scene.interrupt is None
        began = time.monotonic()
        while time.monotonic() - began < PATIENCE:
            time.sleep(0.1)  # the interval at which the screen is sampled: tmux reports no changes
            screen = self.screen()
            if screen != before:
                yield screen
            before = screen
            if not interrupted and any(str(scene.interrupt) in line for line in screen[1:]):
                self.send("C-c")
                interrupted = True
            if len(screen) > 1 and screen[-1] == PROMPT.rstrip():
                return


def main() -> None:
    """Play the scenes at each width, and print a screen with a bar and the last screen of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--columns", type=int, nargs="+", default=[60, 120])
    parser.add_argument("--scene", help="only the scenes whose names have this in them")
    parser.add_argument("--all", action="store_true", help="show every screen")
    arguments = parser.parse_args()
    for columns in arguments.columns:
        with tempfile.TemporaryDirectory() as folder:
            write_inputs(Path(folder))
            with Terminal(Path(folder), columns) as terminal:
                for scene in SCENES:
                    if arguments.scene is None or arguments.scene in scene.name:
                        show(scene, columns, list(terminal.play(scene)), arguments.all)


def show(scene: Scene, columns: int, screens: list[list[str]], everything: bool) -> None:
    """Print screens as blocks of Markdown."""
    moving = [screen for screen in screens if any(mark in line for line in screen for mark in BAR)]
    chosen = screens if everything else [*moving[len(moving) // 2 :][:1], *screens[-1:]]
    print(f"**{scene.name}, {columns} columns** (`{shlex.split(scene.command)[1]}`)\n")
    for screen in chosen:
        print("```console", *screen, "```\n", sep="\n", flush=True)


if __name__ == "__main__":
    main()
