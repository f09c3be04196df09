"""Check that the documentation agrees with the commands."""

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import typer

from spiritlm_cli.cli.main import app

ROOT = Path(__file__).parent.parent
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
# Screens, on which the terminal wraps options.
SCREENS = ROOT / "docs" / "terminal.md"
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
# Options of other programs that the pages name: of the benchmarks, of Ray, of SLURM, of torchrun, of pip, of
# lm-eval and accelerate (up to an underscore), and of TensorBoard.
FOREIGN = {
    *re.findall(
        r'"(--[a-z0-9-]+)"', "".join(path.read_text() for path in (ROOT / "benchmarks").rglob("*.py"))
    ),
    *("--address", "--head", "--port"),
    "--local-dir",  # of `hf download`
    *(
        "--array",
        "--cpus-per-task",
        "--gpus",
        "--gpus-per-node",
        "--gpus-per-task",
        "--kill-on-bad-exit",
        "--nodes",
        "--ntasks",
        "--ntasks-per-node",
        "--requeue",
    ),
    *("--apply", "--batch", "--include", "--num", "--tasks"),
    *("--nnodes", "--no-python", "--nproc-per-node", "--rdzv-backend", "--rdzv-endpoint", "--rdzv-id"),
    *("--multi", "--logdir"),
}


def commands(command: Any, name: str = "spiritlm") -> dict[str, set[str]]:
    """Return the options of each command and subcommand, by its full name."""
    options = {"--help"}
    default = getattr(command, "default", None)
    for parameter in [*command.params, *(default.params if default else ())]:
        options |= {*parameter.opts, *parameter.secondary_opts}
    found = {name: options}
    for subcommand in getattr(command, "commands", {}).values():
        found.update(commands(subcommand, f"{name} {subcommand.name}"))
    return found


COMMANDS = commands(typer.main.get_command(app))


def test_reference_is_up_to_date() -> None:
    """If it fails: `make docs`."""
    render = runpy.run_path(str(ROOT / "docs" / "make_cli.py"))["render"]
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == render()


@pytest.mark.parametrize(
    "page", sorted(set(PAGES) - {ROOT / "CHANGELOG.md", SCREENS}), ids=lambda page: page.name
)
def test_options_in_the_text_exist(page: Path) -> None:
    named = set(OPTION.findall(page.read_text(encoding="utf-8")))
    assert named <= set().union(*COMMANDS.values()) | FOREIGN


@pytest.mark.parametrize("page", sorted(set(PAGES) - {SCREENS}), ids=lambda page: page.name)
def test_commands_have_the_options_they_are_shown_with(page: Path) -> None:
    text = page.read_text(encoding="utf-8").replace("\\\n", " ").replace("\\|", "|")
    for words in re.findall(r"\bspiritlm ((?:[a-z][a-z-]* ){1,2})([^|`\n;>]*)", text):
        name = next((name for name in names(words[0]) if name in COMMANDS), None)
        if name:
            assert set(OPTION.findall(words[1])) <= COMMANDS[name], f"spiritlm {''.join(words)}"


def names(words: str) -> list[str]:
    """Return the names of commands that words may be, the longest first."""
    parts = words.split()
    return [" ".join(["spiritlm", *parts[:count]]) for count in range(len(parts), 0, -1)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
