from pathlib import Path

import pytest

from spiritlm_cli.errors import OptionError
from spiritlm_cli.training.vocoder_options import VocoderOptions


@pytest.mark.parametrize(("name", "value"), [("kind", "both"), ("discriminators", "large")])
def test_check_refuses_unknown_values(name: str, value: str) -> None:
    required = dict(output=Path("new"), manifest=Path("clips.tsv"), units=Path("units.jsonl"))
    VocoderOptions(**required).check()  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=f", not {value}"):
        VocoderOptions(**required, **{name: value}).check()  # type: ignore[arg-type]


def test_check_refuses_a_weight_of_no_loss() -> None:
    required = dict(output=Path("new"), manifest=Path("clips.tsv"), units=Path("units.jsonl"))
    VocoderOptions(**required, hubert=Path("hubert"), hubert_weight=3).check()  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="give --hubert too"):
        VocoderOptions(**required, hubert_weight=3).check()  # type: ignore[arg-type]
