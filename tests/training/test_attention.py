from pathlib import Path

import pytest
import torch
from causal_lm import causal_lm
from flash_attention import use_flash

from spiritlm_cli.errors import MissingPackageError, OptionError, SpiritLMError
from spiritlm_cli.training.attention import check_device, set_attention, without_flash
from spiritlm_cli.training.language_model_options import LanguageModelOptions

CPU = torch.device("cpu")


def options(**changes: object) -> LanguageModelOptions:
    return LanguageModelOptions(output=Path("out"), **changes)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"context": 256}, "eager"),
        ({"context": 512}, "sdpa"),
        ({"context": 512, "attention": 1.0}, "eager"),
        ({"context": 256, "attn_implementation": "sdpa"}, "sdpa"),
        ({"context": 512, "attn_implementation": "eager"}, "eager"),
    ],
)
def test_set_attention(changes: dict[str, object], name: str) -> None:
    network = causal_lm("llama")
    set_attention(network, options(**changes), CPU)
    assert network.config._attn_implementation == name


def test_set_attention_refuses_what_a_network_does_not_have() -> None:
    network = causal_lm("llama")
    with pytest.raises(SpiritLMError, match="--attn-implementation paged can't be used with a llama here: "):
        set_attention(network, options(attn_implementation="paged"), CPU)


def test_flash_attention_needs_a_gpu() -> None:
    flash = options(attn_implementation="flash_attention_2")
    with pytest.raises(OptionError, match="flash_attention_2 needs a GPU, and the device is cpu"):
        check_device(flash, CPU)
    check_device(flash, torch.device("cuda", 0))
    check_device(options(), CPU)


def test_flash_attention_needs_its_package() -> None:
    network = causal_lm("llama")
    with pytest.raises(
        MissingPackageError, match=r"FlashAttention3 .*; try: pip install flash-attn, or"
    ) as caught:
        set_attention(network, options(attn_implementation="flash_attention_3"), CPU)
    assert "\n" not in str(caught.value)
    assert network.config._attn_implementation == "sdpa"


def test_flash_attention_is_left_out_of_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    network = causal_lm("llama")
    use_flash(network, monkeypatch)
    # transformers would look for the package
    monkeypatch.setattr(network, "_check_and_adjust_attn_implementation", lambda name, **_: name)
    with without_flash(network):
        assert network.config._attn_implementation == "sdpa"
    assert network.config._attn_implementation == "flash_attention_2"
