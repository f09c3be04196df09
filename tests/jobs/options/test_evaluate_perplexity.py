from pathlib import Path
from typing import Any

import pytest

from spiritlm_cli.errors import OptionError, TokenError
from spiritlm_cli.jobs.options.evaluate_perplexity import PerplexityOptions


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "or --manifest"),
        ({"sources": ("a",), "manifest": Path("b")}, "both files and --manifest are given"),
        ({"manifest": Path("b"), "text": True}, "is for files of text"),
        ({"sources": ("-",), "ray": "local"}, "stdin"),
        ({"manifest": Path("-"), "ray": "local"}, "stdin"),
    ],
)
def test_check_of_combinations(values: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        PerplexityOptions(**values).check()


def test_check_of_files(tmp_path: Path) -> None:
    for options in (PerplexityOptions(sources=("gone",)), PerplexityOptions(manifest=Path("gone"))):
        with pytest.raises(FileNotFoundError, match="gone"):
            options.check()
    with pytest.raises(TokenError, match="a folder"):
        PerplexityOptions(sources=(str(tmp_path),)).check()
    PerplexityOptions(sources=("-",)).check()
