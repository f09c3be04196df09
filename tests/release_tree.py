#!/usr/bin/env python3
"""Write a stand-in for Meta's Spirit LM release: same folders, file formats,
tensor names and dtypes, random weights.

    python tests/release_tree.py OUT [--size tiny|full] [--seed 0] [--part speech|lm|all]

The real weights are gated and cannot be had here, so this is what the loaders are
tested on. `full` has the released tensor shapes (HuBERT 94.9 M, VQ-VAE 0.21 M,
style encoder 94.6 M, HiFi-GAN 14.8 M parameters: the counts of the model card);
`tiny` keeps every name and the real frame rates with narrow layers. The language
models are always narrow; their vocabulary layout is the real one.

Needs numpy, torch, and, for the language models, sentencepiece.
"""

import argparse
import functools
import io
import json
import zlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

SIZES = {
    "full": {
        "conv": 512,
        "dim": 768,
        "ffn": 3072,
        "heads": 12,
        "layers": 12,
        "style_layers": 12,
        "proj": 256,
        "pos_kernel": 128,
        "pos_groups": 16,
        "upstream": 768,
        "channels": 512,
        "embed": 128,
    },
    "tiny": {
        "conv": 32,
        "dim": 32,
        "ffn": 64,
        "heads": 4,
        "layers": 12,
        "style_layers": 2,
        "proj": 16,
        "pos_kernel": 16,
        "pos_groups": 4,
        "upstream": 517,
        "channels": 32,
        "embed": 16,
    },
}
# Of each vocoder stage: its upsampling rate and kernel size.
STAGES = [(5, 11), (4, 8), (4, 8), (4, 8), (2, 4)]
# Of each residual block of a stage: its kernel size and dilations.
BLOCKS = [(3, [1, 3, 5]), (7, [1, 3, 5]), (11, [1, 3, 5])]
# Fewer layers, whose output depends on as much context.
SHALLOW_STAGES = [(5, 11), (8, 16), (16, 32)]
SHALLOW_BLOCKS = [(3, [1]), (11, [1, 3, 5])]
HUBERT_CONV = [(10, 5)] + [(3, 2)] * 4 + [(2, 2)] * 3  # stride 640: 25 Hz at 16 kHz
STYLE_CONV = [(10, 5)] + [(3, 2)] * 4 + [(2, 2)] * 2  # stride 320: 50 Hz
N_UNITS, N_PITCH, N_STYLE, N_SPEAKERS = 500, 64, 100, 4
TEXT_PIECES = 32000


class Weights:
    """Random tensors that depend only on (seed, file, tensor name)."""

    def __init__(self, seed, file):
        self.seed, self.file, self.state = seed, file, {}

    def _rng(self, name):
        return np.random.default_rng([self.seed, zlib.crc32(f"{self.file}:{name}".encode())])

    def normal(self, name, *shape, scale=None, mean=0.0):
        fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else 1
        scale = (1.0 / np.sqrt(fan_in)) if scale is None else scale
        x = mean + scale * self._rng(name).standard_normal(shape)
        self.state[name] = torch.from_numpy(x.astype(np.float32))

    def linear(self, name, out, inp, gain=1.0):
        self.normal(f"{name}.weight", out, inp, scale=gain / np.sqrt(inp))
        self.normal(f"{name}.bias", out, scale=0.05)

    def norm(self, name, dim):
        self.normal(f"{name}.weight", dim, scale=0.1, mean=1.0)
        self.normal(f"{name}.bias", dim, scale=0.1)

    def conv(self, name, out, inp, k, bias=True, gain=1.0, differencing=False):
        self.normal(f"{name}.weight", out, inp, k, scale=gain / np.sqrt(inp * k))
        if differencing:  # taps sum to nought, so what does not change in time does not drown the rest
            self.state[f"{name}.weight"] -= self.state[f"{name}.weight"].mean(dim=2, keepdim=True)
        if bias:
            self.normal(f"{name}.bias", out, scale=0.05)

    def weight_normed(self, name, out, inp, k, bias, gain=1.0):
        """torch.nn.utils.weight_norm, dim=0: weight = g * v / ||v|| over dims 1 and 2."""
        self.normal(f"{name}.bias", bias, scale=0.05)
        self.normal(f"{name}.weight_v", out, inp, k)
        v = self.state[f"{name}.weight_v"]
        self.state[f"{name}.weight_g"] = gain * v.norm(dim=(1, 2), keepdim=True)


def hubert(s, seed):
    w = Weights(seed, "hubert")
    w.normal("mask_emb", s["dim"], scale=0.1)
    for i, (k, _) in enumerate(HUBERT_CONV):
        w.conv(
            f"feature_extractor.conv_layers.{i}.0",
            s["conv"],
            1 if i == 0 else s["conv"],
            k,
            bias=False,
            gain=1.6,
            differencing=i > 0,
        )
    w.norm("feature_extractor.conv_layers.0.2", s["conv"])  # GroupNorm, one group a channel
    w.linear("post_extract_proj", s["dim"], s["conv"])
    w.normal("encoder.pos_conv.0.bias", s["dim"], scale=0.05)
    w.normal("encoder.pos_conv.0.weight_g", 1, 1, s["pos_kernel"], scale=0.05, mean=0.6)  # weight_norm, dim=2
    w.normal("encoder.pos_conv.0.weight_v", s["dim"], s["dim"] // s["pos_groups"], s["pos_kernel"])
    for i in range(s["layers"]):
        p = f"encoder.layers.{i}"
        for n in ("k_proj", "v_proj", "q_proj", "out_proj"):
            w.linear(f"{p}.self_attn.{n}", s["dim"], s["dim"], gain=0.3 if n == "out_proj" else 1.0)
        w.norm(f"{p}.self_attn_layer_norm", s["dim"])
        w.linear(f"{p}.fc1", s["ffn"], s["dim"])
        w.linear(f"{p}.fc2", s["dim"], s["ffn"], gain=0.5)
        w.norm(f"{p}.final_layer_norm", s["dim"])
    w.norm("encoder.layer_norm", s["dim"])
    w.norm("layer_norm", s["conv"])
    w.normal("label_embs_concat", 504, 256 if s["dim"] > 100 else 16)  # pre-training heads: to be ignored
    w.linear("final_proj", 256 if s["dim"] > 100 else 16, s["dim"])
    conv_layers = str([(s["conv"], k, st) for k, st in HUBERT_CONV])
    return {
        "model_cfg": {
            "label_rate": 25.0,
            "extractor_mode": "default",
            "encoder_layers": s["layers"],
            "encoder_embed_dim": s["dim"],
            "encoder_ffn_embed_dim": s["ffn"],
            "encoder_attention_heads": s["heads"],
            "activation_fn": "gelu",
            "layer_norm_first": False,
            "conv_feature_layers": conv_layers,
            "conv_bias": False,
            "conv_pos": s["pos_kernel"],
            "conv_pos_groups": s["pos_groups"],
            "required_seq_len_multiple": 2,
            "final_dim": 256,
            "untie_final_proj": True,
        },
        "task_cfg": {"label_rate": 25.0, "sample_rate": 16000, "normalize": False},
        "model_weight": w.state,
        "dictionaries_symbols": [[str(i) for i in range(504)]],
    }


def quantizer(s, seed):
    """Three linear layers with LeakyReLU (slope 0.01); class 500 is the CTC blank."""
    w = Weights(seed, "quantizer")
    d, mid = s["dim"], s["upstream"] - (N_UNITS + 1)
    sizes = [d, d - mid // 4, d - mid // 2, N_UNITS + 1]
    for i, (a, b) in enumerate(pairwise(sizes)):
        w.linear(str(2 * i), b, a, gain=3.0)
    return {
        "model_cfg": {"vocab_size": N_UNITS, "dim": d, "upstream_dim": s["upstream"]},
        "model_weight": w.state,
    }


def vqvae(seed):
    w = Weights(seed, "vqvae")
    width, depth, emb, downs = 32, 4, 128, 4

    def res(prefix):
        for j in range(depth):
            w.conv(f"{prefix}.model.{j}.model.1", width, width, 3)
            w.conv(f"{prefix}.model.{j}.model.3", width, width, 1)

    for i in range(downs):
        w.conv(f"encoder.level_blocks.0.model.{i}.0", width, 2 if i == 0 else width, 4)
        res(f"encoder.level_blocks.0.model.{i}.1")
    w.conv(f"encoder.level_blocks.0.model.{downs}", emb, width, 3)
    # k-means codes, spread wide enough that random features use many of them
    w.normal("vq.level_blocks.0.k", N_PITCH, emb, scale=8.0)
    w.conv("decoder.level_blocks.0.model.0", width, emb, 3)
    for i in range(downs):
        res(f"decoder.level_blocks.0.model.{i + 1}.0")
        out = emb if i == downs - 1 else width
        w.normal(f"decoder.level_blocks.0.model.{i + 1}.1.weight", width, out, 4)
        w.normal(f"decoder.level_blocks.0.model.{i + 1}.1.bias", out, scale=0.05)
    w.conv("decoder.out", 2, emb, 3)
    return {"model": w.state}


VQVAE_YAML = """\
features: norm_f0_interp,vuv
speaker_norm: false
encoder_params: &conv
  input_emb_width: 2
  output_emb_width: 128
  levels: 1
  downs_t: [4]
  strides_t: [2]
  width: 32
  depth: 4
  m_conv: 1.0
  dilation_growth_rate: 3
vq_params: {l_bins: 64, emb_width: 128, mu: 0.99, levels: 1}
decoder_params: *conv
"""


def style_encoder(s, seed):
    w = Weights(seed, "style")
    w.normal("wav2vec2.masked_spec_embed", s["dim"], scale=0.1)
    for i, (k, _) in enumerate(STYLE_CONV):
        w.conv(
            f"wav2vec2.feature_extractor.conv_layers.{i}.conv",
            s["conv"],
            1 if i == 0 else s["conv"],
            k,
            bias=False,
            gain=1.6,
            differencing=i > 0,
        )
    w.norm("wav2vec2.feature_extractor.conv_layers.0.layer_norm", s["conv"])
    w.norm("wav2vec2.feature_projection.layer_norm", s["conv"])
    w.linear("wav2vec2.feature_projection.projection", s["dim"], s["conv"])
    w.normal("wav2vec2.encoder.pos_conv_embed.conv.bias", s["dim"], scale=0.05)
    w.normal("wav2vec2.encoder.pos_conv_embed.conv.weight_g", 1, 1, s["pos_kernel"], scale=0.05, mean=0.6)
    w.normal(
        "wav2vec2.encoder.pos_conv_embed.conv.weight_v",
        s["dim"],
        s["dim"] // s["pos_groups"],
        s["pos_kernel"],
    )
    w.norm("wav2vec2.encoder.layer_norm", s["dim"])
    for i in range(s["style_layers"]):
        p = f"wav2vec2.encoder.layers.{i}"
        for n in ("k_proj", "v_proj", "q_proj", "out_proj"):
            w.linear(f"{p}.attention.{n}", s["dim"], s["dim"])
        w.norm(f"{p}.layer_norm", s["dim"])
        w.linear(f"{p}.feed_forward.intermediate_dense", s["ffn"], s["dim"])
        w.linear(f"{p}.feed_forward.output_dense", s["dim"], s["ffn"])
        w.norm(f"{p}.final_layer_norm", s["dim"])
    w.linear("projector", s["proj"], s["dim"], gain=3.0)
    w.linear("classifier", N_STYLE, s["proj"], gain=3.0)
    w.state["_float_tensor"] = torch.zeros(1)
    config = {
        "architectures": ["Wav2Vec2StyleEncoder"],
        "model_type": "wav2vec2",
        "hidden_size": s["dim"],
        "num_hidden_layers": s["style_layers"],
        "num_attention_heads": s["heads"],
        "intermediate_size": s["ffn"],
        "hidden_act": "gelu",
        "conv_dim": [s["conv"]] * 7,
        "conv_kernel": [k for k, _ in STYLE_CONV],
        "conv_stride": [st for _, st in STYLE_CONV],
        "conv_bias": False,
        "feat_extract_norm": "group",
        "feat_extract_activation": "gelu",
        "num_feat_extract_layers": 7,
        "do_stable_layer_norm": False,
        "num_conv_pos_embeddings": s["pos_kernel"],
        "num_conv_pos_embedding_groups": s["pos_groups"],
        "classifier_proj_size": s["proj"],
        "layer_norm_eps": 1e-5,
        "id2label": {str(i): str(i) for i in range(N_STYLE)},
        "label2id": {str(i): i for i in range(N_STYLE)},
    }
    return w.state, config


def hifigan(s, seed, expressive, stages=STAGES, blocks=BLOCKS):
    name = "hifigan_expressive" if expressive else "hifigan_base"
    w = Weights(seed, name)
    emb, ch = s["embed"], s["channels"]
    cfg = {
        "resblock": "1",
        "resblock_kernel_sizes": [kernel for kernel, _ in blocks],
        "resblock_dilation_sizes": [dilations for _, dilations in blocks],
        "upsample_rates": [rate for rate, _ in stages],
        "upsample_kernel_sizes": [kernel for _, kernel in stages],
        "upsample_initial_channel": ch,
        "num_embeddings": N_UNITS + 1,
        "embedding_dim": emb,
        "model_in_dim": emb * (4 if expressive else 3),
        "multispkr": "_",
        "num_speakers": N_SPEAKERS,
        "code_hop_size": 640,
        "sampling_rate": 16000,
        "dur_predictor_params": {
            "encoder_embed_dim": emb,
            "var_pred_hidden_dim": emb,
            "var_pred_kernel_size": 3,
            "var_pred_dropout": 0.5,
        },
    }
    w.weight_normed("conv_pre", ch, cfg["model_in_dim"], 7, ch)
    for i, (_, k) in enumerate(stages):
        c_in, c_out = max(ch // 2**i, 1), max(ch // 2 ** (i + 1), 1)
        w.weight_normed(f"ups.{i}", c_in, c_out, k, c_out, gain=1.5)
        for j, (rk, dilations) in enumerate(blocks, len(blocks) * i):
            for conv in ("convs1", "convs2"):
                for m in range(len(dilations)):
                    w.weight_normed(f"resblocks.{j}.{conv}.{m}", c_out, c_out, rk, c_out, gain=0.7)
    w.weight_normed("conv_post", 1, c_out, 7, 1, gain=0.3)
    w.normal("dict.weight", N_UNITS + 1, emb, scale=1.0)
    if expressive:
        cfg |= {
            "num_f0_tokens": N_PITCH,
            "f0_hop_size": 1280,
            "num_style_tokens": N_STYLE,
            "style_hop_size": 16000,
        }
        w.normal("f0_dict.weight", N_PITCH, emb, scale=1.0)
        w.normal("style_dict.weight", N_STYLE, emb, scale=1.0)
    else:
        cfg |= {"multistyle": "_", "num_styles": 26}
        w.normal("style.weight", 26, emb, scale=1.0)
    w.normal("spkr.weight", N_SPEAKERS, emb, scale=1.0)
    for i in (1, 2):
        w.conv(f"dur_predictor.conv{i}.0", emb, emb, 3)
        w.norm(f"dur_predictor.ln{i}", emb)
    w.linear("dur_predictor.proj", 1, emb, gain=0.5)
    w.state["dur_predictor.proj.bias"] += 1.2
    return {"generator": w.state}, cfg


_WORDS = """
the of and to a in that is was he for it with as his on be at by i this had not are but from or have an
they which one you were her all she there would their we him been has when who will more no if out so
said what up its about into than them can only other new some could time these two may then do first any
my now such like our over man me even most made after also did many before must through back years where
much your way well down should because each just those people cat mat sat bat dog house water great world
little long good day night hand old year light voice speech text word sound language model
"""
SPEAKERS = ["ex01", "ex02", "ex03", "ex04"]
STYLES = [f"style{i:02d}" for i in range(26)]


@functools.cache
def text_pieces_model():
    """A byte-fallback BPE SentencePiece model with LLaMA's ids: 0 <unk>, 1 <s>, 2 </s>, 3-258
    bytes, then 341 ordinary pieces."""
    import sentencepiece as spm

    words = _WORDS.split()
    rng = np.random.default_rng(7)
    corpus = io.StringIO()
    for _ in range(4000):
        corpus.write(" ".join(rng.choice(words, 12)) + "\n")
    corpus.seek(0)
    model = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus.getvalue().splitlines()),
        model_writer=model,
        vocab_size=600,
        model_type="bpe",
        byte_fallback=True,
        character_coverage=1.0,
        hard_vocab_limit=False,
        add_dummy_prefix=True,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        split_digits=True,
        minloglevel=2,
    )
    return model.getvalue()


def llama_tokenizer_model(expressive, text_pieces):
    """The text pieces, then [Text] [Speech] [Hu0..500] ([Pi0..63] [St0..99])."""
    from sentencepiece import sentencepiece_model_pb2 as pb

    proto = pb.ModelProto.FromString(text_pieces_model())
    low = min(p.score for p in proto.pieces)
    while len(proto.pieces) < text_pieces:  # unused filler pieces hold the real layout
        p = proto.pieces.add()
        p.piece, p.score, p.type = f"\u2581unused{len(proto.pieces):05d}", low - len(proto.pieces), 1
    special = ["[Text]", "[Speech]"] + [f"[Hu{i}]" for i in range(501)]
    if expressive:
        special += [f"[Pi{i}]" for i in range(64)] + [f"[St{i}]" for i in range(100)]
    for piece in special:
        p = proto.pieces.add()
        p.piece, p.score, p.type = piece, 0.0, 4  # USER_DEFINED: always one token
    return proto.SerializeToString()


def language_model(out, seed, expressive, text_pieces=TEXT_PIECES):
    out.mkdir(parents=True, exist_ok=True)
    vocab, dim, ffn, layers, heads = text_pieces + (768 if expressive else 512), 64, 128, 2, 4
    w = Weights(seed, out.name)
    w.normal("model.embed_tokens.weight", vocab, dim, scale=0.5)
    for i in range(layers):
        p = f"model.layers.{i}"
        for n in "qkvo":
            w.normal(f"{p}.self_attn.{n}_proj.weight", dim, dim)
        w.normal(f"{p}.mlp.gate_proj.weight", ffn, dim)
        w.normal(f"{p}.mlp.up_proj.weight", ffn, dim)
        w.normal(f"{p}.mlp.down_proj.weight", dim, ffn)
        for n in ("input_layernorm", "post_attention_layernorm"):
            w.normal(f"{p}.{n}.weight", dim, scale=0.1, mean=1.0)
    w.normal("model.norm.weight", dim, scale=0.1, mean=1.0)
    w.normal("lm_head.weight", vocab, dim)
    torch.save({k: v.bfloat16() for k, v in w.state.items()}, out / "pytorch_model.bin")

    def dump(name, obj):
        (out / name).write_text(json.dumps(obj, indent=2) + "\n")

    dump(
        "config.json",
        {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "vocab_size": vocab,
            "hidden_size": dim,
            "intermediate_size": ffn,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "num_key_value_heads": heads,
            "hidden_act": "silu",
            "rms_norm_eps": 1e-5,
            "max_position_embeddings": 4096,
            "rope_theta": 10000.0,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "pad_token_id": -1,
            "tie_word_embeddings": False,
            "torch_dtype": "bfloat16",
        },
    )
    dump("generation_config.json", {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": -1})
    dump("special_tokens_map.json", {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"})
    dump(
        "tokenizer_config.json",
        {
            "tokenizer_class": "LlamaTokenizer",
            "bos_token": "<s>",
            "eos_token": "</s>",
            "unk_token": "<unk>",
            "add_bos_token": True,
            "add_eos_token": False,
            "clean_up_tokenization_spaces": False,
            "legacy": False,
            "model_max_length": 4096,
        },
    )
    (out / "tokenizer.model").write_bytes(llama_tokenizer_model(expressive, text_pieces))


def write_vocoders(tok, s, seed, **shape):
    """Write both vocoders into the folder `speech_tokenizer`; shape: `stages` and `blocks`."""
    for expressive, d in ((False, "hifigan_spiritlm_base"), (True, "hifigan_spiritlm_expressive_w2v2")):
        (tok / d).mkdir(parents=True, exist_ok=True)
        state, cfg = hifigan(s, seed, expressive, **shape)
        torch.save(state, tok / d / "generator.pt")
        (tok / d / "config.json").write_text(json.dumps(cfg, indent=2) + "\n")
        (tok / d / "speakers.txt").write_text("\n".join(SPEAKERS) + "\n")
    (tok / "hifigan_spiritlm_base/styles.txt").write_text("\n".join(STYLES) + "\n")


def write_shallow_vocoders(root):
    """Write a checkpoint of vocoders only, of few layers, into the folder `root`."""
    write_vocoders(
        root / "speech_tokenizer", SIZES["tiny"], seed=0, stages=SHALLOW_STAGES, blocks=SHALLOW_BLOCKS
    )


def write_release_tree(root, size="tiny", seed=0, part="all"):
    """Write the tree into the folder `root`; part: "speech", "lm" or "all"."""
    s = SIZES[size]
    if part in ("speech", "all"):
        tok = root / "speech_tokenizer"
        for d in ("hubert_25hz", "vqvae_f0_quantizer", "style_encoder_w2v2"):
            (tok / d).mkdir(parents=True, exist_ok=True)
        torch.save(hubert(s, seed), tok / "hubert_25hz/mhubert_base_25hz.pt")
        torch.save(quantizer(s, seed), tok / "hubert_25hz/L11_quantizer_500.pt")
        torch.save(vqvae(seed), tok / "vqvae_f0_quantizer/model.pt")
        (tok / "vqvae_f0_quantizer/config.yaml").write_text(VQVAE_YAML)
        state, config = style_encoder(s, seed)
        torch.save(state, tok / "style_encoder_w2v2/pytorch_model.bin")
        (tok / "style_encoder_w2v2/config.json").write_text(json.dumps(config, indent=2) + "\n")
        write_vocoders(tok, s, seed)

    if part in ("lm", "all"):
        write_language_models(root, seed)


def write_language_models(root, seed=0, text_pieces=TEXT_PIECES):
    """Write the language models alone. text_pieces: in their vocabularies, at least 600."""
    for name, expressive in (("spirit-lm-base-7b", False), ("spirit-lm-expressive-7b", True)):
        language_model(root / "spiritlm_model" / name, seed, expressive, text_pieces)


def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    ap.add_argument("out", type=Path)
    ap.add_argument("--size", choices=SIZES, default="tiny")
    ap.add_argument("--seed", type=int, default=0)
    ap.add_argument("--part", choices=["speech", "lm", "all"], default="all")
    args = ap.parse_args()
    write_release_tree(args.out, args.size, args.seed, args.part)


if __name__ == "__main__":
    main()
