"""The configuration in a HuBERT of fairseq or of a checkpoint: what its tensors don't say."""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

from spiritlm_cli.checkpoints.pickles import InertObject
from spiritlm_cli.config import Bounds, Steps, Text, from_mapping
from spiritlm_cli.errors import CheckpointError

# Classes in checkpoints of fairseq, in place of which inert objects are made: configurations of argparse or omegaconf,
# the types of values that omegaconf notes, objects of fairseq itself, and numbers of numpy in its statistics.
FAIRSEQ_CLASSES = re.compile(
    r"argparse\.Namespace|(?:omegaconf|fairseq|hydra)\..*|typing\.\w+"
    r"|builtins\.(?:bool|dict|float|int|list|object|str|tuple)"
    r"|numpy\.(?:dtype|float\d+|int\d+|(?:_core|core)\.multiarray\.scalar)"
)
_ACTIVATIONS = ("gelu", "relu")


@dataclass(frozen=True, kw_only=True)
class FairseqConfig:
    """What the features of a HuBERT depend on beside its tensors, by fairseq's names.

    normalize: whether waveforms are normalized to mean 0 and variance 1. projection: whether a linear layer follows the
    convolutions; None as fairseq has it, between different widths only. padding: zero samples at both ends of a
    waveform. fairseq has no such projection and padding.
    Raises ValueError for text that is no list of convolutions, and for an activation that is not known.
    """

    encoder_attention_heads: Steps
    conv_feature_layers: Text
    layer_norm_first: bool
    activation_fn: Text = "gelu"
    normalize: bool = False
    sample_rate: int = 16000
    projection: bool | None = None
    padding: Annotated[int, Bounds(0, 16000)] = 0

    def __post_init__(self) -> None:
        parse_conv_layers(self.conv_feature_layers)
        if self.activation_fn not in _ACTIVATIONS:
            raise ValueError(f"activation_fn is {self.activation_fn!r}, expected {' or '.join(_ACTIVATIONS)}")
        if self.sample_rate != 16000:
            raise ValueError(f"sample_rate is {self.sample_rate}; only 16000 is known")

    @property
    def conv(self) -> tuple[tuple[int, int, int], ...]:
        """(channels, kernel, stride) of each convolution."""
        return parse_conv_layers(self.conv_feature_layers)


def read_fairseq_config(path: Path, content: Mapping[str, Any]) -> FairseqConfig:
    """Read the configuration in the content of a file.

    It is in `cfg` or, before fairseq 0.10, in `args`; in the file of a checkpoint in `model_cfg` and `task_cfg`.
    Raises CheckpointError if there is none, or if it lacks a value.
    """
    cfg, args, model, task = (_mapping(content.get(key)) for key in ("cfg", "args", "model_cfg", "task_cfg"))
    if not cfg and not args and not model:
        raise CheckpointError(
            f"{path}: has none of cfg, args and model_cfg, the configuration that fairseq writes: "
            "the number of attention heads is not known without it"
        )
    values: dict[Any, Any] = {}
    for mapping in (args, _mapping(cfg.get("task")), _mapping(cfg.get("model")), task, model):
        values |= mapping
    known = [field.name for field in fields(FairseqConfig) if values.get(field.name) is not None]
    return from_mapping(FairseqConfig, {name: _plain(values[name]) for name in known}, path)


def _mapping(value: Any) -> Mapping[Any, Any]:
    """The entries of a dictionary, of a namespace or of a configuration of omegaconf; none of anything else."""
    if isinstance(value, InertObject):
        value = value.state
        if isinstance(value, Mapping) and "_content" in value:
            value = value["_content"]
    return value if isinstance(value, Mapping) else {}


def _plain(value: Any) -> Any:
    """A value, taken out of the node of omegaconf and of the member of an enumeration that it may be in."""
    if isinstance(value, InertObject) and isinstance(value.state, Mapping):
        value = value.state.get("_val")
    if isinstance(value, InertObject) and len(value.args) == 1:
        value = value.args[0]
    return value


def parse_conv_layers(text: str) -> tuple[tuple[int, int, int], ...]:
    """Parse (channels, kernel, stride) of convolutions from text such as `"[(512, 10, 5)] + [(512, 3, 2)] * 4"`.

    Lists, tuples, integers, `+` and `*` are allowed; no code is run. Raises ValueError for anything else.
    """

    invalid = f"conv_feature_layers: {text!r} is not a list of (channels, kernel, stride)"

    def value(node: ast.expr) -> Any:
        match node:
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return [value(item) for item in items]
            case ast.Constant(value=int() as number) if not isinstance(number, bool):
                return number
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return value(left) + value(right)
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                product = (value(left), value(right))
                if max(n if isinstance(n, int) else len(n) for n in product) > 100:
                    raise ValueError(f"conv_feature_layers: {text!r} is too long a list")
                return product[0] * product[1]
        raise ValueError(invalid)

    try:
        triples = tuple(tuple(triple) for triple in value(ast.parse(text.strip(), mode="eval").body))
    except (SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise ValueError(invalid) from error
    if not all(len(triple) == 3 and all(isinstance(n, int) for n in triple) for triple in triples):
        raise ValueError(invalid)
    if not triples or min(min(triple) for triple in triples) < 1:
        raise ValueError(f"conv_feature_layers: {text!r} has a number under 1")
    return triples
