from pathlib import Path

import pytest

from spiritlm_cli.jobs.options.evaluate_clips import AsrOptions


def test_check_names_a_missing_manifest() -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.tsv"):
        AsrOptions(manifest=Path("gone.tsv")).check()
