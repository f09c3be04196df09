from pathlib import Path
from typing import Any

import pytest

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.evaluate_resynthesis import ResynthesisOptions


@pytest.mark.parametrize("options", [{"speaker": "0"}, {"save_audio": Path("x")}])
def test_hypotheses_exclude_options_of_the_vocoder(tmp_path: Path, options: dict[str, Any]) -> None:
    ResynthesisOptions(data=tmp_path, hypotheses=tmp_path).check()
    with pytest.raises(OptionError, match="excludes --hypotheses"):
        ResynthesisOptions(data=tmp_path, hypotheses=tmp_path, **options).check()


def test_recognizes(tmp_path: Path) -> None:
    assert ResynthesisOptions(data=tmp_path).recognizes
    assert not ResynthesisOptions(data=tmp_path, asr="none").recognizes


def test_style_labels_need_a_classifier(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="needs --speech-classifier"):
        ResynthesisOptions(data=tmp_path, style_labels=tmp_path).check()
