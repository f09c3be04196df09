import sys

import pytest
import typer

from spiritlm_cli.cli.lazy import SUMMARIES, LazyCommands, load_command
from spiritlm_cli.cli.main import app


@pytest.mark.parametrize("name", SUMMARIES)
def test_summaries_are_the_first_sentences_of_the_commands(name: str) -> None:
    command = load_command(name)
    first = command.help.strip().split("\n\n")[0]
    assert (command.name, " ".join(first.split())) == (name, SUMMARIES[name])


def test_commands_are_imported_when_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    module = "spiritlm_cli.cli.commands.bench"
    monkeypatch.delitem(sys.modules, module, raising=False)
    commands = LazyCommands()
    assert list(commands) == list(SUMMARIES)
    assert commands.get("nothing") is None
    assert module not in sys.modules
    assert commands["bench"] is commands.get("bench")
    assert module in sys.modules


def test_the_application_has_all_commands() -> None:
    root = typer.main.get_command(app)
    assert [command.name for command in root.commands.values()] == list(SUMMARIES)  # type: ignore[attr-defined]
