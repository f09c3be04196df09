import pytest
import typer
from typer.testing import CliRunner

from spiritlm_cli import __version__, console
from spiritlm_cli.cli.general import ERROR_STATUS, Command, ComparingCommand, DefaultGroup, comparison_status


@pytest.fixture
def app() -> typer.Typer:
    console.set_up()
    app = typer.Typer(rich_markup_mode=None)

    @app.command(cls=Command)
    def example() -> None:
        """Do it."""
        print(console.is_quiet(), console.is_verbose())

    return app


@pytest.mark.parametrize(
    ("option", "printed"), [((), "False False"), (("-q",), "True False"), (("--verbose",), "False True")]
)
def test_quiet_and_verbose_set_the_level(app: typer.Typer, option: tuple[str, ...], printed: str) -> None:
    assert CliRunner().invoke(app, list(option)).stdout.strip() == printed


def test_version_ends_the_command(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"spiritlm {__version__}\n")


def test_help_lists_the_general_options_last(app: typer.Typer) -> None:
    text = CliRunner().invoke(app, ["--help"]).stdout
    assert text.index("--quiet") < text.index("--verbose") < text.index("--debug") < text.index("--version")


@pytest.fixture
def group() -> typer.Typer:
    app = typer.Typer(rich_markup_mode=None, cls=DefaultGroup)

    @app.command(cls=Command)
    def show(file: str = typer.Argument("-"), upper: bool = False) -> None:
        """Show a file."""
        print("show", file.upper() if upper else file)

    @app.command(cls=Command)
    def diff() -> None:
        """Compare."""
        print("diff")

    return app


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        ((), "show -"),
        (("a",), "show a"),
        (("--upper", "a"), "show A"),
        (("show", "a"), "show a"),
        (("./diff",), "show ./diff"),
        (("diff",), "diff"),
        (("-q", "diff"), "diff"),
        (("-q", "a"), "show a"),
    ],
)
def test_default_group(group: typer.Typer, arguments: tuple[str, ...], printed: str) -> None:
    assert CliRunner().invoke(group, list(arguments)).stdout.strip() == printed


def test_help_of_a_default_group_has_the_options_of_the_default(group: typer.Typer) -> None:
    text = CliRunner().invoke(group, ["--help"]).stdout
    assert text.index("diff  Compare.") < text.index("--upper") < text.index("--quiet")


@pytest.mark.parametrize(
    ("equal", "failed", "status"), [(True, 0, 0), (False, 0, 1), (True, 1, 2), (False, 2, 2)]
)
def test_comparison_status(equal: bool, failed: int, status: int) -> None:
    assert comparison_status(equal, failed) == status


def test_comparing_command_sets_the_status_of_errors() -> None:
    app = typer.Typer(rich_markup_mode=None)
    statuses = []

    @app.command(cls=ComparingCommand)
    def compare(context: typer.Context) -> None:
        """Compare."""
        statuses.append(context.meta[ERROR_STATUS])

    CliRunner().invoke(app, [])
    assert statuses == [2]
