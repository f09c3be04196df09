"""How much a batch of each part has, by which the speed of a training is measured."""

from spiritlm_cli.training.language_model_options import LanguageModelOptions
from spiritlm_cli.training.options import (
    HubertOptions,
    LoopOptions,
    PitchOptions,
    QuantizerOptions,
    StyleOptions,
)
from spiritlm_cli.training.vocoder_options import VocoderOptions


def batch_amount(options: LoopOptions) -> tuple[str, float]:
    """Unit and amount of a batch: tokens, pairs, or seconds of audio if all crops have their full length."""
    if isinstance(options, LanguageModelOptions):
        if options.dpo:
            return "pairs", options.batch
        return "tokens", options.batch * options.context
    if isinstance(options, VocoderOptions):
        return "seconds", options.batch * options.frames / 25
    if isinstance(options, HubertOptions | QuantizerOptions | PitchOptions | StyleOptions):
        return "seconds", options.batch * options.seconds
    return "", 0.0
