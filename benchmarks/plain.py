"""The speech networks, written with transformers and torch in the straightforward way: the baseline of throughput.py.

Float32, one clip at a time, transformers' default attention, weight norm folded. They read a checkpoint in the formats
of the release. F0 is tracked by the model of the torchfcpe package.
"""

import contextlib
import io
import json
import os
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import yaml
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.utils.flop_counter import FlopCounterMode

from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.checkpoints.fairseq_config import parse_conv_layers
from spiritlm_cli.manifests.clip import FloatArray
from spiritlm_cli.speech.quantizer import fill_blanks, quantizer_layer
from spiritlm_cli.third_party import hide_broken_torchaudio
from spiritlm_cli.tokens.sequence import SpeechSpan
from spiritlm_cli.tokens.timeline import frame_units
from spiritlm_cli.tokens.units import IntArray

with hide_broken_torchaudio():
    from transformers import (
        HubertConfig,
        HubertModel,
        SpeechT5HifiGan,
        SpeechT5HifiGanConfig,
        Wav2Vec2Config,
        Wav2Vec2ForSequenceClassification,
    )

RATE = 16000
# Names of HuBERT's tensors in fairseq, as regular expressions, and in transformers.
_HUBERT_NAMES = (
    (r"^layer_norm", "feature_projection.layer_norm"),
    (r"^post_extract_proj", "feature_projection.projection"),
    (r"conv_layers\.(\d+)\.0\.", r"conv_layers.\1.conv."),
    (r"conv_layers\.0\.2\.", "conv_layers.0.layer_norm."),
    (r"pos_conv\.0\.", "pos_conv_embed.conv."),
    (r"self_attn_layer_norm", "layer_norm"),
    (r"self_attn\.", "attention."),
    (r"fc1", "feed_forward.intermediate_dense"),
    (r"fc2", "feed_forward.output_dense"),
)


class PlainHubert(nn.Module):
    """HuBERT up to one layer, and the linear quantizer of its features."""

    def __init__(self, path: Path, quantizer_path: Path) -> None:
        super().__init__()
        content, layers = _read(path), _read(quantizer_path)["model_weight"]
        config = content["model_cfg"]
        channels, kernels, strides = zip(*parse_conv_layers(config["conv_feature_layers"]), strict=True)
        model = HubertModel(
            HubertConfig(
                hidden_size=config["encoder_embed_dim"],
                num_hidden_layers=quantizer_layer(quantizer_path),
                num_attention_heads=config["encoder_attention_heads"],
                intermediate_size=config["encoder_ffn_embed_dim"],
                conv_dim=channels,
                conv_kernel=kernels,
                conv_stride=strides,
                conv_bias=False,
                feat_extract_norm="group",
                num_conv_pos_embeddings=config["conv_pos"],
                num_conv_pos_embedding_groups=config["conv_pos_groups"],
                mask_time_prob=0.0,
            )
        )
        if channels[-1] == config["encoder_embed_dim"]:  # fairseq projects only between different widths
            model.feature_projection.projection = nn.Identity()
        state = content["model_weight"]
        for pattern, name in _HUBERT_NAMES:
            state = {re.sub(pattern, name, key): tensor for key, tensor in state.items()}
        self.model = _load(model, state)
        shapes = [layers[f"{i}.weight"].shape for i in (0, 2, 4)]
        first, second, last = (nn.Linear(inputs, outputs) for outputs, inputs in shapes)
        quantizer = nn.Sequential(first, nn.LeakyReLU(0.01), second, nn.LeakyReLU(0.01), last)
        self.quantizer = _load(quantizer, layers)
        self.normalize = content["task_cfg"]["normalize"]
        self.blank = last.out_features - 1

    def forward(self, waveform: Tensor) -> Tensor:
        """Map (1, samples) to logits (1, frames, units + 1)."""
        if self.normalize:
            waveform = F.layer_norm(waveform, waveform.shape[-1:])
        logits: Tensor = self.quantizer(self.model(waveform).last_hidden_state)
        return logits


class PlainStyle(nn.Module):
    """The wav2vec 2.0 classifier of transformers, applied to each second."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        config = Wav2Vec2Config(**json.loads((path.parent / "config.json").read_text()))
        self.model = _load(Wav2Vec2ForSequenceClassification(config), _read(path))

    def forward(self, waveform: Tensor) -> Tensor:
        """Map (1, samples) to logits (1, seconds, styles)."""
        variance, mean = torch.var_mean(waveform, correction=0)
        hidden = self.model.wav2vec2((waveform - mean) / torch.sqrt(variance + 1e-7)).last_hidden_state
        projected = self.model.projector(hidden)
        means = torch.stack([second.mean(1) for second in projected.split(50, dim=1)], dim=1)
        logits: Tensor = self.model.classifier(means)
        return logits


class PlainPitch(nn.Module):
    """The encoder and the codebook of the VQ-VAE."""

    def __init__(self, path: Path, config_path: Path) -> None:
        super().__init__()
        state, config = _read(path)["model"], yaml.safe_load(config_path.read_text())
        sizes = config["encoder_params"]
        width, stride, growth = sizes["width"], sizes["strides_t"][0], sizes["dilation_growth_rate"]
        steps: list[nn.Module] = []
        for i in range(sizes["downs_t"][0]):
            down = nn.Conv1d(width if i else 2, width, 2 * stride, stride, padding=stride // 2)
            blocks = [Residual(width, int(sizes["m_conv"] * width), growth**j) for j in range(sizes["depth"])]
            steps.append(nn.Sequential(down, nn.Sequential(*blocks)))
        steps.append(nn.Conv1d(width, sizes["output_emb_width"], 3, padding=1))
        prefix = "encoder.level_blocks.0.model."
        encoder = {
            name.removeprefix(prefix).replace(".1.model.", ".1.", 1): tensor
            for name, tensor in state.items()
            if name.startswith(prefix)
        }
        self.encoder = _load(nn.Sequential(*steps), encoder)
        self.register_buffer("codes", state["vq.level_blocks.0.k"])
        self.relative = config["features"].startswith("norm_") or config["speaker_norm"]

    def forward(self, features: Tensor) -> Tensor:
        """Map (1, 2, frames), F0 and voicing at 200 Hz, to units (1, frames // 16)."""
        latents = self.encoder(features).transpose(1, 2)
        return (self.codes.square().sum(1) - 2 * latents @ self.codes.T).argmin(2)


class Residual(nn.Module):
    """Residual block of two convolutions, the first dilated."""

    def __init__(self, width: int, hidden: int, dilation: int) -> None:
        super().__init__()
        dilated = nn.Conv1d(width, hidden, 3, padding=dilation, dilation=dilation)
        self.model = nn.Sequential(nn.ReLU(), dilated, nn.ReLU(), nn.Conv1d(hidden, width, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (1, width, frames) to the same shape."""
        out: Tensor = x + self.model(x)
        return out


class PlainTokenizer:
    """The four stages of `tokenize` for one waveform, (samples,) float32 at 16 kHz."""

    def __init__(self, model: str, device: str) -> None:
        checkpoint = find_checkpoint(model)
        self.device = device
        self.hubert_network = PlainHubert(checkpoint.hubert, checkpoint.quantizer).to(device)
        self.style_network = PlainStyle(checkpoint.style).to(device)
        self.pitch_network = PlainPitch(checkpoint.pitch, checkpoint.pitch_config).to(device)
        self.f0_network = _fcpe().to(device)

    def hubert(self, waveform: FloatArray) -> IntArray:
        """Return units (frames,) at 25 Hz."""
        logits = self.hubert_network(torch.from_numpy(waveform).to(self.device)[None])[0]
        return fill_blanks(logits.argmax(-1).cpu().numpy(), self.hubert_network.blank)

    def f0(self, waveform: FloatArray) -> Tensor:
        """Return the input of the VQ-VAE: (2, frames), F0 in Hz and voicing at 200 Hz."""
        sound = torch.from_numpy(waveform).to(self.device)[None, :, None]
        f0 = self.f0_network(sound, RATE, decoder_mode="local_argmax", threshold=0.05)[0, :, 0].cpu().numpy()
        voiced = f0 >= 50
        if voiced.any():
            f0 = np.interp(np.arange(len(f0)), np.flatnonzero(voiced), f0[voiced]).clip(max=1100)
        both = torch.from_numpy(np.stack([f0 * voiced.any(), voiced]).astype(np.float32))
        both = F.interpolate(both[None], size=len(waveform) // 80 + 1)[0]
        if self.pitch_network.relative and voiced.any():
            mean = both[0][both[1] > 0].mean()
            both[0] = torch.where(both[0] != 0, both[0] - mean, 0)
        return both

    def pitch(self, features: Tensor) -> Tensor:
        """Map the result of `f0` to units at 12.5 Hz."""
        return self.pitch_network(features.to(self.device)[None])[0].cpu()

    def style(self, waveform: FloatArray) -> Tensor:
        """Return one unit per second."""
        return self.style_network(torch.from_numpy(waveform).to(self.device)[None])[0].argmax(1).cpu()

    def flop(self, samples: int) -> dict[str, int]:
        """Return the operations of matrix products and convolutions for a clip, by stage; discards the weights."""
        sound = torch.empty(1, samples, device="meta")
        mel = self.f0_network.wav2mel.mel_extractor.mel_basis
        spectrum = torch.empty(1, samples // 160 + 1, len(mel), device="meta")
        features = torch.empty(1, 2, samples // 80 + 1, device="meta")
        return {
            "hubert": _counted(self.hubert_network, sound),
            "f0": _counted(self.f0_network.model, spectrum) + 2 * mel.numel() * (samples // 160),
            "pitch": _counted(self.pitch_network, features),
            "style": _counted(self.style_network, sound),
        }


class PlainDurations(nn.Module):
    """Duration predictor: the number of frames of each unit."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        super().__init__()
        prefix = "dur_predictor."
        own = {name.removeprefix(prefix): state[name] for name in state if name.startswith(prefix)}
        hidden, dim, kernel = own["conv1.0.weight"].shape
        self.conv1 = nn.Sequential(nn.Conv1d(dim, hidden, kernel, padding=kernel // 2), nn.ReLU())
        self.ln1 = nn.LayerNorm(hidden)
        self.conv2 = nn.Sequential(nn.Conv1d(hidden, hidden, kernel, padding=kernel // 2), nn.ReLU())
        self.ln2 = nn.LayerNorm(hidden)
        self.proj = nn.Linear(hidden, 1)
        _load(self, own)

    def forward(self, embedded: Tensor) -> Tensor:
        """Map (1, units, dim) to frames (1, units), at least 1 each."""
        x = self.ln1(self.conv1(embedded.transpose(1, 2)).transpose(1, 2))
        x = self.ln2(self.conv2(x.transpose(1, 2)).transpose(1, 2))
        return torch.round(torch.exp(self.proj(x)[..., 0]) - 1).long().clamp(min=1)


class PlainVocoder:
    """The expressive vocoder with its third voice: predicted durations, embeddings, and HiFi-GAN of transformers."""

    def __init__(self, model: str, device: str) -> None:
        checkpoint = find_checkpoint(model)
        config = json.loads(checkpoint.vocoder_config(expressive=True).read_text())
        state = _read(checkpoint.generator(expressive=True))["generator"]
        shared = {name: config[name] for name in SpeechT5HifiGanConfig().to_dict() if name in config}
        network = SpeechT5HifiGan(SpeechT5HifiGanConfig(**shared, normalize_before=False))
        network.apply_weight_norm()
        unscaled = {"mean": network.mean, "scale": network.scale}
        renamed = {re.sub(r"^ups\.", "upsampler.", name): tensor for name, tensor in state.items()}
        self.network = _load(network, renamed | unscaled).to(device)
        self.predictor = PlainDurations(state).to(device)
        tables = (state[f"{name}.weight"] for name in ("dict", "f0_dict", "style_dict", "spkr"))
        self.units, self.pitch, self.style, self.speakers = (table.to(device) for table in tables)
        self.device, self.hop = device, config["code_hop_size"]

    def decode(self, span: SpeechSpan) -> FloatArray:
        """Return (samples,) float32."""
        frames = frame_units(span.units)
        units, pitch, style = (
            torch.from_numpy(ids).to(self.device) for ids in (frames.hubert, frames.pitch, frames.style)
        )
        durations = self.predictor(self.units[units][None])[0]
        embedded = torch.cat([self.units[units], self.pitch[pitch], self.style[style]], dim=1)
        embedded = embedded.repeat_interleave(durations, dim=0)
        embedded = torch.cat([embedded, self.speakers[2].expand(len(embedded), -1)], dim=1)
        waveform: FloatArray = self.network(embedded[None])[0].cpu().numpy()
        return waveform

    def flop(self, units: int, samples: int) -> int:
        """Return the operations of convolutions and matrix products for a span; discards the weights."""
        embedded = torch.empty(1, samples // self.hop, self.network.config.model_in_dim, device="meta")
        looked_up = torch.empty(1, units, self.units.shape[1], device="meta")
        return _counted(self.network, embedded) + _counted(self.predictor, looked_up)


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return content


def _load(network: nn.Module, state: dict[str, Tensor]) -> Any:
    """Load the network's tensors from `state`, which may hold others, and fold weight norm."""
    missing = network.load_state_dict(state, strict=False).missing_keys
    if missing:
        raise ValueError(f"the checkpoint lacks {', '.join(missing)}")
    for module in list(network.modules()):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")
    return network.eval().requires_grad_(False)


def _fcpe() -> Any:
    """Return the model of torchfcpe, which maps (1, samples, 1) and the rate 16000 to F0 in Hz."""
    absent = "torchaudio" not in sys.modules
    if absent:
        # torchfcpe imports a resampler, needed for other rates only, from a package that may not fit this torch.
        transforms = ModuleType("torchaudio.transforms")
        transforms.Resample = None  # type: ignore[attr-defined]
        sys.modules |= {"torchaudio": ModuleType("torchaudio"), "torchaudio.transforms": transforms}
    with contextlib.redirect_stdout(io.StringIO()):
        import torchfcpe

        network = torchfcpe.spawn_bundled_infer_model("cpu")
    if absent:
        del sys.modules["torchaudio"], sys.modules["torchaudio.transforms"]
    # Importing it shrinks torch's caches of CPU convolutions for the whole process.
    os.environ.pop("LRU_CACHE_CAPACITY", None)
    return network


def _counted(network: nn.Module, *shapes: Tensor) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.to("meta")(*shapes)
    return counter.get_total_flops()
