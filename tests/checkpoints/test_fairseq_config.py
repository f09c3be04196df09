"""The configuration in checkpoints of fairseq."""

from pathlib import Path
from typing import Any

import pytest

from spiritlm_cli.checkpoints.fairseq_config import FAIRSEQ_CLASSES, parse_conv_layers, read_fairseq_config
from spiritlm_cli.checkpoints.pickles import InertObject
from spiritlm_cli.errors import CheckpointError

PATH = Path("m.pt")
MODEL = {
    "encoder_attention_heads": 4,
    "conv_feature_layers": "[(32, 10, 5)] + [(32, 3, 2)] * 2",
    "layer_norm_first": True,
}


def inert(state: Any, *args: Any) -> InertObject:
    made = InertObject(*args)
    made.__setstate__(state)
    return made


def node(value: Any) -> InertObject:
    return inert({"_val": value, "_parent": None})


@pytest.mark.parametrize(
    "content",
    [
        {"args": None, "cfg": {"model": MODEL, "task": {"normalize": True}}},
        {"args": inert(MODEL | {"normalize": True, "other": inert(None)})},
        {
            "cfg": inert(
                {"_content": {"model": inert({"_content": MODEL}), "task": {"normalize": node(True)}}}
            )
        },
        {"cfg": {"model": {k: node(v) for k, v in MODEL.items()}, "task": {"normalize": True}}},
        {"cfg": {"model": MODEL | {"activation_fn": inert(None, "gelu")}, "task": {"normalize": True}}},
    ],
)
def test_read_fairseq_config(content: dict[str, Any]) -> None:
    config = read_fairseq_config(PATH, content)
    assert (config.encoder_attention_heads, config.layer_norm_first, config.normalize) == (4, True, True)
    assert config.conv == ((32, 10, 5), (32, 3, 2), (32, 3, 2))
    assert config.activation_fn == "gelu"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "none of cfg, args and model_cfg"),
        ({"cfg": [], "args": inert([])}, "none of cfg, args and model_cfg"),
        (
            {"cfg": {"model": {"encoder_attention_heads": 4}}},
            "missing key 'conv_feature_layers', missing key",
        ),
        ({"args": inert(MODEL | {"encoder_attention_heads": "4"})}, "encoder_attention_heads is '4'"),
        ({"args": inert(MODEL | {"encoder_attention_heads": 0})}, "encoder_attention_heads"),
        ({"args": inert(MODEL | {"activation_fn": "tanh"})}, "activation_fn is 'tanh'"),
        ({"args": inert(MODEL | {"sample_rate": 8000})}, "sample_rate is 8000"),
        ({"args": inert(MODEL | {"conv_feature_layers": "exit()"})}, "conv_feature_layers"),
        ({"args": inert(MODEL | {"layer_norm_first": inert({})})}, "layer_norm_first"),
        ({"model_cfg": MODEL, "task_cfg": {"padding": -1}}, "padding: -1 is outside"),
    ],
)
def test_read_fairseq_config_names_what_is_wrong(content: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=rf"m\.pt: .*{message}"):
        read_fairseq_config(PATH, content)


def test_classes_of_fairseq() -> None:
    for name in ("argparse.Namespace", "omegaconf.dictconfig.DictConfig", "typing.Any", "builtins.dict"):
        assert FAIRSEQ_CLASSES.fullmatch(name)
    for name in ("argparse.FileType", "builtins.eval", "os.system", "fairseq2.x", "numpy.load", "typing.a.b"):
        assert not FAIRSEQ_CLASSES.fullmatch(name)


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("[(512, 10, 5)] + [(512, 3, 2)] * 2", ((512, 10, 5), (512, 3, 2), (512, 3, 2))),
        ("((1, 2, 3),)", ((1, 2, 3),)),
    ],
)
def test_parse_conv_layers(text: str, layers: tuple[tuple[int, int, int], ...]) -> None:
    assert parse_conv_layers(text) == layers


@pytest.mark.parametrize(
    "text",
    ["", "[]", "[(1, 2)]", "[(1, 2, 0)]", "[(1, 2, x)]", "[(1, 2, 3)] * 101", "f()", "[(1, 2, True)]", "1"],
)
def test_parse_conv_layers_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="conv_feature_layers"):
        parse_conv_layers(text)
