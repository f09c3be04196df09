"""Write stand-ins for open models: the published folders, file formats and tensor names, with random weights.

    python tests/open_models.py OUT [--seed 0]

    OUT/twist/mhubert-base-25hz/                         Hugging Face HubertModel, 25 Hz, 8 convolutions
    OUT/twist/mhubert_base_25hz_…_L11_km500.bin          joblib pickle of scikit-learn's MiniBatchKMeans, 500 centers
    OUT/twist/hifigan_lj_mhubert_base_25hz.pt            {"generator": state} with weight norm; one voice
    OUT/twist/hifigan_lj_mhubert_base_25hz_config.json
    OUT/sims-llama/, OUT/sims-qwen/                      slamkit's language models of speech and text
    OUT/slam-qwen/                                       slamkit's language model of speech alone
    OUT/text-llama/, OUT/text-qwen/                      the text tokenizers of the former two

Layers are narrow; names, rates and layouts are the published ones. The answers in `tests/data/open_models.json` and
`.npz` are those of other programs (slamkit, textlesslib) on the stand-ins of seed 0. The k-means is the file that
scikit-learn and joblib wrote for it.
"""

import argparse
import json
import shutil
import warnings
import zlib
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

UNITS = 500
HUBERT = "mhubert-base-25hz"
KMEANS = "mhubert_base_25hz_cp_mls_cv_sp_fisher_L11_km500.bin"
VOCODER = "hifigan_lj_mhubert_base_25hz.pt"
VOCODER_CONFIG = "hifigan_lj_mhubert_base_25hz_config.json"
DATA = Path(__file__).parent / "data"
# The text tokenizers' ids, 700; the units; two markers.
INTERLEAVED_VOCABULARY = 700 + UNITS + 2

# Gains of layers whose outputs are added to others, and of the convolutions.
_GAINS = {"attention.out_proj": 0.3, "output_dense": 0.5, "conv_layers": 1.6}
_STRIDES = [5, 2, 2, 2, 2, 2, 2, 2]
HUBERT_CONFIG = {
    "architectures": ["HubertModel"],
    "model_type": "hubert",
    "hidden_size": 32,
    "num_hidden_layers": 12,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "conv_dim": [32] * len(_STRIDES),
    "conv_kernel": [10, 3, 3, 3, 3, 2, 2, 2],
    "conv_stride": _STRIDES,
    "num_feat_extract_layers": 8,
    "conv_bias": False,
    "feat_extract_norm": "group",
    "feat_extract_activation": "gelu",
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "do_stable_layer_norm": False,
    "vocab_size": 32,
    "hidden_dropout": 0.0,
    "attention_dropout": 0.0,
}
_RATES, _KERNELS = [5, 4, 4, 4, 2], [11, 8, 8, 8, 4]
_CHANNELS, _EMBEDDING = 64, 16
_VOCODER_CONFIG = {
    "resblock": "1",
    "num_gpus": 0,
    "batch_size": 16,
    "upsample_rates": _RATES,
    "upsample_kernel_sizes": _KERNELS,
    "upsample_initial_channel": _CHANNELS,
    "resblock_kernel_sizes": [3, 7, 11],
    "resblock_dilation_sizes": [[1, 3, 5]] * 3,
    "num_embeddings": UNITS,
    "embedding_dim": _EMBEDDING,
    "model_in_dim": _EMBEDDING,
    "segment_size": 8960,
    "code_hop_size": 640,
    "f0": False,
    "num_mels": 80,
    "num_freq": 1025,
    "n_fft": 1024,
    "hop_size": 256,
    "win_size": 1024,
    "sampling_rate": 16000,
    "fmin": 0,
    "fmax": 8000,
    "fmax_for_loss": None,
    "num_workers": 4,
    "dur_prediction_weight": 1.0,
    "dur_predictor_params": {
        "encoder_embed_dim": _EMBEDDING,
        "var_pred_hidden_dim": _EMBEDDING,
        "var_pred_kernel_size": 3,
        "var_pred_dropout": 0.5,
    },
}


def random_values(name, shape, seed, scale=1.0):
    """Random weights that depend on the seed and on the name of the tensor. Returns float32 of the shape."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else 0
    values = rng.standard_normal(shape)
    if fan_in:
        values *= next((gain for part, gain in _GAINS.items() if part in name), scale)
        values /= np.sqrt(fan_in)
    else:
        values = 1 + 0.1 * values if name.endswith("weight") else 0.05 * values
    if name.endswith("original0"):  # g of a weight norm
        values = 0.6 + 0.05 * rng.standard_normal(shape)
    return torch.from_numpy(values.astype(np.float32))


def fill(module, seed, scale=1.0):
    """Set the parameters of a module to random values."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(random_values(name, tuple(parameter.shape), seed, scale))
    return module


def write_hubert(out, seed=0):
    """Write a HuBERT as a Hugging Face folder."""
    tensors = {name: random_values(name, shape, seed) for name, shape in _hubert_shapes().items()}
    for i in range(1, len(_STRIDES)):  # differences in time, which a constant would otherwise hide
        weight = tensors[f"feature_extractor.conv_layers.{i}.conv.weight"]
        weight -= weight.mean(dim=2, keepdim=True)
    (out / HUBERT).mkdir(parents=True, exist_ok=True)
    save_file(tensors, out / HUBERT / "model.safetensors", {"format": "pt"})
    (out / HUBERT / "config.json").write_text(json.dumps(HUBERT_CONFIG, indent=2))


def _hubert_shapes():
    """The shapes of the tensors of transformers' HubertModel, by name."""
    wide, inner = HUBERT_CONFIG["hidden_size"], HUBERT_CONFIG["intermediate_size"]
    layers: dict[str, tuple[int, ...]] = {
        "feature_extractor.conv_layers.0.layer_norm": (wide,),
        "feature_projection.layer_norm": (wide,),
        "feature_projection.projection": (wide, wide),
        "encoder.layer_norm": (wide,),
    }
    for i in range(HUBERT_CONFIG["num_hidden_layers"]):
        for name in ("k_proj", "v_proj", "q_proj", "out_proj"):
            layers[f"encoder.layers.{i}.attention.{name}"] = (wide, wide)
        layers[f"encoder.layers.{i}.layer_norm"] = (wide,)
        layers[f"encoder.layers.{i}.feed_forward.intermediate_dense"] = (inner, wide)
        layers[f"encoder.layers.{i}.feed_forward.output_dense"] = (wide, inner)
        layers[f"encoder.layers.{i}.final_layer_norm"] = (wide,)
    shapes: dict[str, tuple[int, ...]] = {"masked_spec_embed": (wide,)}
    for name, shape in layers.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    for i, kernel in enumerate(HUBERT_CONFIG["conv_kernel"]):
        shapes[f"feature_extractor.conv_layers.{i}.conv.weight"] = (wide, wide if i else 1, kernel)
    kernel, groups = HUBERT_CONFIG["num_conv_pos_embeddings"], HUBERT_CONFIG["num_conv_pos_embedding_groups"]
    position = "encoder.pos_conv_embed.conv"
    shapes[f"{position}.bias"] = (wide,)
    shapes[f"{position}.parametrizations.weight.original0"] = (1, 1, kernel)
    shapes[f"{position}.parametrizations.weight.original1"] = (wide, wide // groups, kernel)
    return shapes


def write_vocoder(out, seed=0):
    """Write a HiFi-GAN with one voice, and its configuration."""
    network = fill(_vocoder(), seed)
    parameters = dict(network.named_parameters())
    with torch.no_grad():
        network.dict.weight.mul_(4)
        network.dur_predictor.proj.bias.fill_(1.1)
        network.dur_predictor.proj.weight.mul_(0.4)
        for name, g in parameters.items():
            if name.endswith("weight_g"):
                v = parameters[name[:-1] + "v"]
                norm = v.norm(dim=tuple(range(1, v.ndim)), keepdim=True)
                g.copy_((0.7 if "resblocks" in name else 1.0) * norm)
    torch.save({"generator": network.state_dict()}, out / VOCODER)
    (out / VOCODER_CONFIG).write_text(json.dumps(_VOCODER_CONFIG, indent=1))


def _vocoder():
    """The parameters of the vocoder under their published names."""
    network = nn.Module()
    network.conv_pre = _weight_norm(nn.Conv1d(_EMBEDDING, _CHANNELS, 7))
    network.ups = nn.ModuleList(
        _weight_norm(nn.ConvTranspose1d(_CHANNELS >> i, _CHANNELS >> (i + 1), kernel, rate))
        for i, (rate, kernel) in enumerate(zip(_RATES, _KERNELS, strict=True))
    )
    network.resblocks = nn.ModuleList()
    for i in range(len(_RATES)):
        for kernel in (3, 7, 11):
            block = nn.Module()
            for name in ("convs1", "convs2"):
                convs = (_weight_norm(nn.Conv1d(*[_CHANNELS >> (i + 1)] * 2, kernel)) for _ in range(3))
                setattr(block, name, nn.ModuleList(convs))
            network.resblocks.append(block)
    network.conv_post = _weight_norm(nn.Conv1d(_CHANNELS >> 5, 1, 7))
    network.dict = nn.Embedding(UNITS, _EMBEDDING)
    durations = nn.Module()
    durations.conv1 = nn.Sequential(nn.Conv1d(_EMBEDDING, _EMBEDDING, 3))
    durations.ln1 = nn.LayerNorm(_EMBEDDING)
    durations.conv2 = nn.Sequential(nn.Conv1d(_EMBEDDING, _EMBEDDING, 3))
    durations.ln2 = nn.LayerNorm(_EMBEDDING)
    durations.proj = nn.Linear(_EMBEDDING, 1)
    network.dur_predictor = durations
    return network


def _weight_norm(module):
    with warnings.catch_warnings():  # the published files have the names of the older function
        warnings.simplefilter("ignore")
        return nn.utils.weight_norm(module)


def write_twist(out, seed=0):
    """Write the TWIST folder: HuBERT, k-means and the vocoder. The centers of the k-means are those for seed 0."""
    write_hubert(out, seed)
    shutil.copyfile(DATA / KMEANS, out / KMEANS)
    write_vocoder(out, seed)


_LM_SHAPE = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "hidden_act": "silu",
    "pad_token_id": 0,
}
_DEFAULT_ROPE = {"rope_theta": 10000.0, "rope_type": "default"}
# The configurations of the base models of slamkit's folders.
LANGUAGE_MODELS = {
    "sims-llama": _LM_SHAPE
    | {
        "model_type": "llama",
        "vocab_size": INTERLEAVED_VOCABULARY,
        "bos_token_id": 2,
        "eos_token_id": 1,
        "tie_word_embeddings": True,
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {
            "rope_theta": 500000.0,
            "rope_type": "llama3",
            "factor": 32.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        },
    },
    "sims-qwen": _LM_SHAPE
    | {
        "model_type": "qwen2",
        "vocab_size": INTERLEAVED_VOCABULARY,
        "bos_token_id": None,
        "eos_token_id": 1,
        "tie_word_embeddings": False,
        "max_position_embeddings": 2048,
        "rms_norm_eps": 1e-6,
        "rope_parameters": _DEFAULT_ROPE,
        "use_sliding_window": False,
        "sliding_window": None,
        "max_window_layers": 28,
    },
    "slam-qwen": _LM_SHAPE
    | {
        "model_type": "qwen2",
        "vocab_size": UNITS + 2,
        "bos_token_id": 1,
        "eos_token_id": 1,
        "tie_word_embeddings": True,
        "max_position_embeddings": 1024,
        "rms_norm_eps": 1e-6,
        "rope_parameters": _DEFAULT_ROPE,
        "use_sliding_window": False,
        "sliding_window": None,
        "max_window_layers": 28,
    },
}


# slamkit's models, and the folders with the tokenizers of their text.
SLAMKIT_TEXT = {"sims-llama": "text-llama", "sims-qwen": "text-qwen", "slam-qwen": None}


def write_language_model(out, name, seed=0):
    """Write a language model of slamkit's form as `out / name`: the base model's configuration in one of its own."""
    base = LANGUAGE_MODELS[name]
    tied = base["tie_word_embeddings"]
    seed += list(LANGUAGE_MODELS).index(name)
    shapes = _lm_shapes(base)
    tensors = {key: random_values(key, shape, seed, 3.0 if tied else 1.5) for key, shape in shapes.items()}
    # a tied head would predict the latest token again and again
    tensors["model.embed_tokens.weight"] *= 0.2 if tied else 4
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    prefixed = {f"lm.{key}": tensor for key, tensor in tensors.items()}
    save_file(prefixed, folder / "model.safetensors", {"format": "pt"})
    wrapper = {
        "architectures": ["UnitLM"],
        "model_type": "speech_language_model",
        "base_model_name": "stand-in",
        "base_config": base,
        "vocab_size": base["vocab_size"],
        "twist_init": True,
        "use_cache": True,
        "trust_remote_code": None,
        "use_safetensors": None,
        "tie_word_embeddings": tied,
        "max_position_embeddings": base["max_position_embeddings"],
        "torch_dtype": "float32",
    }
    (folder / "config.json").write_text(json.dumps(wrapper, indent=1))


def _lm_shapes(config):
    """The shapes of the tensors of transformers' LlamaForCausalLM or Qwen2ForCausalLM, by name; not of a tied head."""
    wide, inner, vocabulary = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    keys = wide * config["num_key_value_heads"] // config["num_attention_heads"]
    shapes = {"model.embed_tokens.weight": (vocabulary, wide), "model.norm.weight": (wide,)}
    if not config["tie_word_embeddings"]:
        shapes["lm_head.weight"] = (vocabulary, wide)
    for i in range(config["num_hidden_layers"]):
        layer = f"model.layers.{i}"
        for name, size in (("q_proj", wide), ("k_proj", keys), ("v_proj", keys)):
            shapes[f"{layer}.self_attn.{name}.weight"] = (size, wide)
            if config["model_type"] == "qwen2":
                shapes[f"{layer}.self_attn.{name}.bias"] = (size,)
        shapes[f"{layer}.self_attn.o_proj.weight"] = (wide, wide)
        for name in ("gate_proj", "up_proj"):
            shapes[f"{layer}.mlp.{name}.weight"] = (inner, wide)
        shapes[f"{layer}.mlp.down_proj.weight"] = (wide, inner)
        for name in ("input_layernorm", "post_attention_layernorm"):
            shapes[f"{layer}.{name}.weight"] = (wide,)
    return shapes


def write_text_tokenizer(out, name):
    """Write a text tokenizer, "text-llama" or "text-qwen", as the folder `out / name`."""
    (out / name).mkdir(parents=True, exist_ok=True)
    shutil.copyfile(DATA / "open_models" / f"{name}.json", out / name / "tokenizer.json")
    start = "<|begin_of_text|>" if name == "text-llama" else None
    special = {"bos_token": start, "eos_token": "<|endoftext|>"}
    (out / name / "tokenizer_config.json").write_text(json.dumps(special, indent=1))


def write_language_models(out, seed=0):
    """Write all language models and text tokenizers."""
    for name in LANGUAGE_MODELS:
        write_language_model(out, name, seed)
    for name in ("text-llama", "text-qwen"):
        write_text_tokenizer(out, name)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    write_twist(arguments.out / "twist", arguments.seed)
    write_language_models(arguments.out, arguments.seed)


if __name__ == "__main__":
    main()
