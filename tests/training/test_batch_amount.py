from pathlib import Path

from spiritlm_cli.training.batch_amount import batch_amount
from spiritlm_cli.training.language_model_options import LanguageModelOptions
from spiritlm_cli.training.options import PitchOptions
from spiritlm_cli.training.vocoder_options import VocoderOptions

FILE = Path("clips.tsv")


def test_batch_amount_is_in_tokens_or_seconds() -> None:
    assert batch_amount(LanguageModelOptions(output=FILE, batch=3, context=100)) == ("tokens", 300)
    assert batch_amount(PitchOptions(output=FILE, manifest=FILE, batch=2, seconds=1.28)) == ("seconds", 2.56)
    vocoder = VocoderOptions(output=FILE, manifest=FILE, units=FILE, batch=2, frames=50)
    assert batch_amount(vocoder) == ("seconds", 4.0)
