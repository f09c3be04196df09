import dataclasses

import pytest

from spiritlm_cli.options import flag_of, spec_of
from spiritlm_cli.training import options
from spiritlm_cli.training.language_model_options import LanguageModelOptions
from spiritlm_cli.training.vocoder_options import VocoderOptions


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        ("hubert", options.HubertOptions),
        ("vocoder", VocoderOptions),
        ("lm", LanguageModelOptions),
    ],
)
def test_each_field_is_an_option_with_its_help(spiritlm, part, kind):
    shown = " ".join(spiritlm("train", part, "--help").stdout.split())
    for field in dataclasses.fields(kind):
        assert flag_of(field) in shown
        assert spec_of(field).help.split()[0] in shown


def test_a_missing_required_option_is_a_usage_error(spiritlm):
    assert spiritlm("train", "pitch", "--output", "new").exit_code == 2
