from pathlib import Path

import pytest

from spiritlm_cli.errors import OptionError
from spiritlm_cli.training.validation_options import ValidationOptions


def test_check_held_out_refuses_options_that_need_another() -> None:
    with pytest.raises(OptionError, match="needs --valid-units"):
        ValidationOptions(valid_manifest=Path("a")).check_held_out()
    with pytest.raises(OptionError, match="give --sample-prompts too"):
        ValidationOptions(sample_vocoder="nano").check_held_out()
    options = ValidationOptions(valid_manifest=Path("a"), valid_units=Path("b"))
    options.check_held_out()
    assert options.validates
    assert not ValidationOptions(sample_prompts=Path("a"), sample_vocoder="nano").validates
