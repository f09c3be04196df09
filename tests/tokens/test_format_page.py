"""Check docs/token-format.md against the code."""

import re
from pathlib import Path

from spiritlm_cli.tokens.reader import parse_sequence
from spiritlm_cli.tokens.writer import format_sequence

PAGE = Path(__file__).parents[2] / "docs" / "token-format.md"


def test_example_program_runs() -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(program, str(PAGE), "exec"), {})


def test_example_lines_are_canonical() -> None:
    lines = re.findall(
        r"^    (?:clip-007<TAB>)?(\[(?:TEXT|SPEECH)].*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(lines) == 3
    assert [format_sequence(parse_sequence(line)) for line in lines] == lines
