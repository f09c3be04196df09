from pathlib import Path

import pytest

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.evaluate_continuation import ContinuationOptions, parse_temperatures


def test_parse_temperatures() -> None:
    assert parse_temperatures("0.3,1") == (0.3, 1.0)
    for text in ("", "0", "a", "1,1", "nan", "inf"):
        with pytest.raises(OptionError, match="temperatures are different numbers above 0"):
            parse_temperatures(text)


def test_check(tmp_path: Path) -> None:
    ContinuationOptions(path=tmp_path, text_lm=Path("lm")).check()
    with pytest.raises(
        OptionError, match=r"is needed for the perplexity of transcripts: .*Llama-3\.2-1B"
    ) as error:
        ContinuationOptions(path=tmp_path).check()
    assert error.value.option == "--text-lm"
    with pytest.raises(FileNotFoundError, match="gone"):
        ContinuationOptions(path=tmp_path / "gone").check()
