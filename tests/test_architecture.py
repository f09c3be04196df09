"""Check the package's structure: mirrored tests, and the sizes of functions and modules.

The order in which packages may import each other is checked by import-linter (`make lint`).
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import spiritlm_cli

PACKAGE = Path(spiritlm_cli.__file__).parent
TESTS = Path(__file__).parent

LONGEST_FUNCTION = 80
LONGEST_COMMAND = 60  # in cli/
LONGEST_MODULE = 300


def modules() -> Iterator[tuple[str, Path]]:
    """Yield the name of each module below the package, such as `tokens/units`, and its path."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).with_suffix("").as_posix(), path


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the name of each function of a module and its length in lines, decorators excluded."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.name, node.end_lineno - node.lineno + 1


def test_every_module_has_a_test_module() -> None:
    untested = {
        name
        for name, path in modules()
        if not path.stem.startswith("__") and not (TESTS / name).with_name(f"test_{path.stem}.py").is_file()
    }
    assert not untested


def test_functions_are_short() -> None:
    long = {
        f"{name}:{function}"
        for name, path in modules()
        for function, lines in functions(path)
        if lines > (LONGEST_COMMAND if name.startswith("cli/") else LONGEST_FUNCTION)
    }
    assert not long


def test_modules_are_short() -> None:
    long = {name for name, path in modules() if len(path.read_text().splitlines()) > LONGEST_MODULE}
    assert not long


def test_command_modules_are_tables_of_options() -> None:
    long = {
        path.name
        for path in (PACKAGE / "cli" / "commands").glob("*.py")
        if len(path.read_text().splitlines()) > LONGEST_COMMAND
    }
    assert not long
