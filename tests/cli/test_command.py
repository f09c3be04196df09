from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner, Result

from spiritlm_cli.cli.command import command
from spiritlm_cli.cli.general import Command
from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.shared import parse_range
from spiritlm_cli.options import option


@dataclass(frozen=True, kw_only=True)
class Options:
    files: tuple[str, ...] = option((), "Files.", metavar="FILE", argument=True)
    words: tuple[int, int] = option((10, 30), "Words.", parse=parse_range, default_text="10:30")
    stop: tuple[str, ...] = option((), "Stop.", "--stop")
    top_p: float = option(0.9, "P.", minimum=0.0, maximum=1.0)
    ids: bool | None = option(None, "Ids.", "--ids/--no-ids")

    def check(self) -> None:
        if self.files == ("bad",):
            raise OptionError("is not good", "FILE")


def run(*arguments: str) -> tuple[Result, list[Options]]:
    calls: list[Options] = []
    app = typer.Typer(rich_markup_mode=None)

    @command(Options)
    def example(options: Options) -> object:
        """Do it."""
        calls.append(options)
        return SimpleNamespace(failed=len(options.stop))

    app.command(cls=Command)(example)
    return CliRunner().invoke(app, list(arguments)), calls


def test_fields_become_options_with_their_defaults() -> None:
    result, calls = run()
    assert (result.exit_code, calls) == (0, [Options()])


def test_values_are_parsed_into_the_fields() -> None:
    result, calls = run(
        "a", "b", "--words", "2:5", "--top-p", "0.5", "--no-ids", "--stop", "x", "--stop", "y"
    )
    assert calls == [Options(files=("a", "b"), words=(2, 5), stop=("x", "y"), top_p=0.5, ids=False)]
    assert result.exit_code == 1  # of failed inputs


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--words", "5:2"), "Invalid value for --words: a range is written 10:30"),
        (("--words", f"1:{'9' * 5000}"), "Invalid value for --words: Exceeds the limit"),
        (("--top-p", "2"), "--top-p"),
        (("bad",), "Invalid value for FILE: is not good"),
    ],
)
def test_wrong_values_are_usage_errors(arguments: tuple[str, ...], message: str) -> None:
    result, calls = run(*arguments)
    assert (result.exit_code, calls) == (2, [])
    assert message in " ".join(result.stderr.split())


def test_help_shows_each_option_once_with_its_default() -> None:
    result, _ = run("--help")
    assert result.stdout.count("--words") == 1
    assert "[default: 10:30]" in result.stdout
    assert "--no-ids" in result.stdout
