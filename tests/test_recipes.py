"""The files of docs/recipes and the commands that use them, by the option parsers of the commands."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from spiritlm_cli.cli.command import command
from spiritlm_cli.cli.commands.train import PARTS
from spiritlm_cli.cli.config_option import ConfigurableCommand
from spiritlm_cli.training.language_model_options import LanguageModelOptions

ROOT = Path(__file__).parent.parent
RECIPES = ROOT / "docs" / "recipes"
PAGE = (RECIPES / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")
COMMANDS = re.findall(r"^ {4}(?:spiritlm|torchrun .*?-m spiritlm_cli) train (.*)$", PAGE, re.MULTILINE)
# The option --mix of each ablation.
MIXES = re.findall(r"^\| .* \| `(--mix \S+)` \|$", (ROOT / "docs" / "train.md").read_text(), re.MULTILINE)


def parse(line: str) -> Any:
    """Parse the words after `spiritlm train`, as it does. Returns the part's options."""
    part, *words = shlex.split(line)
    kind = next(kind for name, _, kind, _ in PARTS if name == part)
    found: list[Any] = []
    app = typer.Typer()
    app.command(part, cls=ConfigurableCommand)(command(kind)(lambda options: found.append(options)))
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    return found[0]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in a folder that has the recipes, and the models that a command writes and another one starts from."""
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    for name in ("lm-1", "lm-2"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("line", COMMANDS)
def test_command_is_valid(line: str) -> None:
    parse(line)


def test_every_file_has_a_command() -> None:
    used = {path for line in COMMANDS for path in re.findall(r"--config (\S+)", line)}
    assert used == {str(path.relative_to(ROOT)) for path in RECIPES.rglob("*.yaml")}


@pytest.mark.parametrize("recipe", ["one-gpu", "paper"])
def test_ablations_are_valid(recipe: str) -> None:
    assert len(MIXES) == 7
    for mix in MIXES:
        parse(f"lm --config docs/recipes/{recipe}/lm.yaml {mix} --data data -o out")


def test_tokens_per_step_are_those_of_the_page() -> None:
    one_gpu: LanguageModelOptions = parse("lm --config docs/recipes/one-gpu/lm.yaml --data data -o out")
    assert one_gpu.batch * one_gpu.accumulate * one_gpu.context == 65_536
    paper: LanguageModelOptions = parse("lm --config docs/recipes/paper/lm.yaml --data data -o out")
    assert 64 * paper.batch * paper.accumulate * paper.context == 1_048_576
