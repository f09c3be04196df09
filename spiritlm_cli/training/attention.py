"""The implementation of attention that a language model is trained with."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from spiritlm_cli.errors import MissingPackageError, OptionError, SpiritLMError
from spiritlm_cli.third_party import silence_transformers
from spiritlm_cli.training.language_model_options import LanguageModelOptions, is_flash

_OPTION = "--attn-implementation"
# Tokens in a row up to which plain attention is faster than fused on a CPU.
_SHORT_ROW = 256


def check_device(options: LanguageModelOptions, device: torch.device) -> None:
    """Raise OptionError for flash attention without a GPU."""
    if is_flash(options.attn_implementation) and device.type != "cuda":
        raise OptionError(f"{options.attn_implementation} needs a GPU, and the device is {device}", _OPTION)


def set_attention(network: Any, options: LanguageModelOptions, device: torch.device) -> None:
    """Set the implementation that `options` name, or choose one.

    The choice is transformers', fused attention by PyTorch where the network has it; plain attention for short rows on
    a CPU, and where attention weights are needed.
    Raises MissingPackageError without a package of flash attention, SpiritLMError if the network does not have it.
    """
    name = options.attn_implementation
    if name is None and (options.attention or (device.type == "cpu" and options.context <= _SHORT_ROW)):
        name = "eager"
    if name is None:
        return
    try:
        with silence_transformers():
            network.set_attn_implementation(name)
    except ImportError as error:
        raise MissingPackageError(
            f"{_OPTION} {name} can't be used ({_first_line(error)}); try: pip install flash-attn, or pip install "
            "kernels, which downloads it from the Hub"
        ) from error
    except Exception as error:  # the type depends on what is missing
        kind = network.config.model_type
        raise SpiritLMError(
            f"{_OPTION} {name} can't be used with a {kind} here: {_first_line(error)}"
        ) from error


@contextmanager
def without_flash(network: Any) -> Iterator[None]:
    """Compute in the block without flash attention, for padded batches and caches."""
    before = network.config._attn_implementation
    if not is_flash(before):
        yield
        return
    network.set_attn_implementation(network.get_correct_attn_implementation(None))
    try:
        yield
    finally:
        network.set_attn_implementation(before)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
