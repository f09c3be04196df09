"""Stand-ins for the HuBERT checkpoints of fairseq: its tensor names, and classes of fairseq, omegaconf and argparse."""

import argparse
import sys
import types
from contextlib import contextmanager
from pathlib import Path

import torch
from open_models import HUBERT_CONFIG, random_values

# From transformers' parts of names to fairseq's, in the order in which they are replaced.
_PARTS = {
    "feature_projection.projection": "post_extract_proj",
    "feature_projection.layer_norm": "layer_norm",
    "masked_spec_embed": "mask_emb",
    "encoder.pos_conv_embed.conv.bias": "encoder.pos_conv.0.bias",
    "encoder.pos_conv_embed.conv.parametrizations.weight.original0": "encoder.pos_conv.0.weight_g",
    "encoder.pos_conv_embed.conv.parametrizations.weight.original1": "encoder.pos_conv.0.weight_v",
    "feed_forward.intermediate_dense": "fc1",
    "feed_forward.output_dense": "fc2",
    ".conv.": ".0.",
    ".attention.": ".self_attn.",
}
CONV_LAYERS = "[(32,10,5)] + [(32,3,2)] * 4 + [(32,2,2)] * 3"
MODEL = {
    "_name": "hubert",
    "extractor_mode": "default",
    "encoder_layers": 12,
    "encoder_attention_heads": 4,
    "activation_fn": "gelu",
    "layer_norm_first": False,
    "conv_feature_layers": CONV_LAYERS,
    "conv_bias": False,
}
TASK = {"_name": "hubert_pretraining", "normalize": False, "sample_rate": 16000, "label_rate": 25.0}


def fairseq_names(tensors, layer_norms=False):
    """The tensors of transformers' HubertModel under fairseq's names. layer_norms: a norm follows each convolution."""
    result = {}
    for name, tensor in tensors.items():
        if name.startswith("encoder.layers.") and ".layer_norm." in name and "final" not in name:
            name = name.replace(".layer_norm.", ".self_attn_layer_norm.")
        elif name.startswith("feature_extractor.") and ".layer_norm." in name:
            name = name.replace(".layer_norm.", ".2.1." if layer_norms else ".2.")
        for theirs, ours in _PARTS.items():
            name = name.replace(theirs, ours)
        result[name] = tensor
    return result


def with_heads(tensors):
    """The tensors and those for pre-training."""
    wide = HUBERT_CONFIG["hidden_size"]
    return tensors | {
        "label_embs_concat": random_values("label_embs_concat", (504, 16), 0),
        "final_proj.weight": random_values("final_proj.weight", (16, wide), 0),
        "final_proj.bias": random_values("final_proj.bias", (16,), 0),
    }


@contextmanager
def fake_modules(*names):
    """Have modules of these names while the block runs; yields a function that makes a class in one of them."""
    modules = {}
    for name in names:
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            modules.setdefault(".".join(parts[:end]), types.ModuleType(".".join(parts[:end])))

    def make(module, name):
        made = type(name, (), {"__module__": module})
        setattr(modules[module], name, made)
        return made

    missing = {name: module for name, module in modules.items() if name not in sys.modules}
    sys.modules.update(missing)
    try:
        yield make
    finally:
        for name in missing:
            del sys.modules[name]


def made(kind, **state):
    """An object with this state, without a call of its class."""
    result = kind.__new__(kind)
    result.__dict__.update(state)
    return result


def save(path, model, form="plain", model_cfg=None, task_cfg=None, legacy=False):
    """Write a checkpoint. form: of the configuration: "plain", "omegaconf", or "args" as before fairseq 0.10."""
    model_cfg, task_cfg = MODEL | (model_cfg or {}), TASK | (task_cfg or {})
    with fake_modules("fairseq.data.dictionary", "omegaconf.dictconfig", "omegaconf.nodes") as make:
        dictionary = make("fairseq.data.dictionary", "Dictionary")
        config, node = make("omegaconf.dictconfig", "DictConfig"), make("omegaconf.nodes", "AnyNode")

        def in_omegaconf(values):
            nodes = {
                key: in_omegaconf(value)
                if isinstance(value, dict)
                else made(node, _val=value, _metadata={"ref_type": dict, "optional": True})
                for key, value in values.items()
            }
            result = made(config, _content=nodes, _metadata={"key": None, "object_type": dict})
            for one in nodes.values():
                one._parent = result
            return result

        cfg = {"_name": None, "model": model_cfg, "task": task_cfg}
        content = {
            "args": argparse.Namespace(**task_cfg | model_cfg) if form == "args" else None,
            "cfg": {"plain": cfg, "omegaconf": in_omegaconf(cfg), "args": None}[form],
            "model": model,
            "criterion": None,
            "optimizer_history": [{"num_updates": 400000}],
            "task_state": {"dictionaries": [made(dictionary, symbols=["<s>", "0"], indices={"<s>": 0})]},
            "extra_state": {"epoch": 3, "train_iterator": {"epoch": 3}},
        }
        torch.save(content, Path(path), _use_new_zipfile_serialization=not legacy)
