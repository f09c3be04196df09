"""FCPE (Luo et al. 2025, arXiv 2509.15140): a network that estimates F0 from log-mel spectra.

The weights are those in the package torchfcpe. Its code is not used: it imports torchaudio, prints to stdout, and
processes one clip at a time. The constants are those of the configuration beside the weights.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from spiritlm_cli.checkpoints.tensors import build_on_meta, load_into, read_tensors, rename_tensor
from spiritlm_cli.checkpoints.weight_norm import fold_weight_norm
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.nn.layers import Conv, Linear, bucket_padding, map_clips, padding_rows
from spiritlm_cli.speech.windows import SAMPLE_RATE

# Samples at 16 kHz from one frame to the next.
HOP = 160
FFT = 1024
MELS = 128
MIN_MAGNITUDE = 1e-5
DIM = 512
LAYERS = 6
GROUPS = 4
KERNEL = 31
BINS = 360
# F0 in Hz of the first and the last bin.
MIN_F0, MAX_F0 = 32.7, 1975.5
# Bins to either side of the most probable one that the mean is taken over ("local argmax").
NEIGHBORS = 4

_NAMES = {
    "input_stack.0": "first",
    "input_stack.1": "group_norm",
    "input_stack.3": "second",
    "net.encoder_layers.{}.conformer.net.0": "layers.{}.norm",
    "net.encoder_layers.{}.conformer.net.2": "layers.{}.widen",
    "net.encoder_layers.{}.conformer.net.4.conv": "layers.{}.conv",
    "net.encoder_layers.{}.conformer.net.6": "layers.{}.narrow",
    "norm": "norm",
    "output_proj": "output",
}
# Lookup tables, and the norms before attention layers that this network does not have.
_UNUSED = (
    "cent_table",
    "gaussian_blurred_cent_mask",
    *(f"net.encoder_layers.{n}.norm." for n in range(LAYERS)),
)


class ConvLayer(nn.Module):
    """The convolution module of a conformer layer (Gulati et al. 2020, arXiv 2005.08100)."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(DIM)
        self.widen = Linear(DIM, 4 * DIM)
        self.conv = Conv(2 * DIM, 2 * DIM, KERNEL, padding=KERNEL // 2, groups=2 * DIM)
        self.narrow = Linear(2 * DIM, DIM)

    def forward(self, x: Tensor, frames: list[int]) -> Tensor:
        """x: (all frames, dim), the clips one after another. frames: of each clip. Returns the shape of x."""
        gated = F.glu(self.widen(self.norm(x)), -1)
        mixed: Tensor = F.silu(torch.cat(map_clips(self._depthwise, torch.split(gated, frames))))
        narrowed: Tensor = self.narrow(mixed)
        return x + narrowed

    def _depthwise(self, x: Tensor) -> Tensor:
        """Convolve each channel over time. x: (batch, frames, channels). Returns the same shape."""
        frames = x.shape[1]
        out: Tensor = self.conv(F.pad(x, (0, 0, 0, bucket_padding(frames))))
        return out[:, :frames]


class Fcpe(nn.Module):
    """Estimates F0 of waveforms, one frame for every 160 samples; a clip's result doesn't depend on its batch."""

    filters: Tensor
    window: Tensor
    cents: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.first = Conv(MELS, DIM, 3, padding=1)
        self.group_norm = nn.GroupNorm(GROUPS, DIM)
        self.second = Conv(DIM, DIM, 3, padding=1)
        self.layers = nn.ModuleList(ConvLayer() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(DIM)
        self.output = Linear(DIM, BINS)

    @classmethod
    def load(cls) -> "Fcpe":
        """Load the weights from the package torchfcpe. Raises CheckpointError if it is not installed."""
        spec = importlib.util.find_spec("torchfcpe")
        if spec is None or spec.origin is None:
            raise CheckpointError(
                "the package torchfcpe is missing, which has FCPE's weights; or use --f0 pyaapt"
            )
        path = Path(spec.origin).parent / "assets" / "fcpe_c_v001.pt"
        file = fold_weight_norm(read_tensors(path))
        pointwise = {name for name in file.tensors if name.endswith(("net.2.weight", "net.6.weight"))}
        for name in pointwise:
            file.tensors[name] = file.tensors[name][..., 0]
        model = build_on_meta(cls, path)
        load_into(model, file, rename=lambda name: rename_tensor(name, _NAMES), ignore=_UNUSED)
        model.register_buffer("filters", torch.from_numpy(mel_filters()), persistent=False)
        model.register_buffer("window", torch.hann_window(FFT), persistent=False)
        first, last = (1200 * torch.log2(torch.tensor([MIN_F0, MAX_F0]) / 10)).tolist()
        cents = torch.linspace(first, last, BINS)
        model.register_buffer("cents", cents, persistent=False)
        return model.eval().requires_grad_(False)

    def forward(self, waveforms: Sequence[Tensor], threshold: float) -> list[Tensor]:
        """waveforms: each (samples,) at 16 kHz. Returns (samples // 160 + 1,) Hz for each, 0 where unvoiced.

        threshold: a frame is unvoiced if no bin has a probability over this.
        """
        clips = map_clips(self._stem, [self.log_mel(waveform) for waveform in waveforms])
        clips += padding_rows(clips)
        frames = [len(clip) for clip in clips]
        x = torch.cat(clips)
        for layer in self.layers:
            x = layer(x, frames)
        logits = torch.split(self.output(self.norm(x)), frames)
        return [self._hertz(torch.sigmoid(clip), threshold) for clip in logits[: len(waveforms)]]

    def log_mel(self, waveform: Tensor) -> Tensor:
        """waveform: (samples,). Returns (samples // 160 + 1, 128): natural logarithms of mel magnitudes ≥ 1e-5."""
        margin = (FFT - HOP) // 2
        missing = max(margin, FFT - len(waveform) - margin)
        mode = "reflect" if missing < len(waveform) else "constant"
        padded = F.pad(waveform[None], (margin, missing), mode=mode)[0]
        spectrum = torch.stft(padded, FFT, HOP, window=self.window, center=False, return_complex=True)
        magnitude = torch.sqrt(spectrum.real.square() + spectrum.imag.square() + 1e-9)
        mel = torch.log(torch.clamp(self.filters @ magnitude, min=MIN_MAGNITUDE)).T
        frames = len(waveform) // HOP + 1
        return torch.cat([mel, mel[-1:]])[:frames]

    def _stem(self, mel: Tensor) -> Tensor:
        """mel: (batch, frames, mels). Returns (batch, frames, dim). The group norm is over each clip's time."""
        frames = mel.shape[1]
        padding = (
            0,
            0,
            0,
            bucket_padding(frames),
        )  # Zeros after the end are what convolutions pad with anyway.
        x = self.first(F.pad(mel, padding))[:, :frames].unflatten(2, (GROUPS, -1))
        variance, mean = torch.var_mean(x, dim=(1, 3), keepdim=True, correction=0)
        x = ((x - mean) / torch.sqrt(variance + self.group_norm.eps)).flatten(2)
        x = F.leaky_relu(x * self.group_norm.weight + self.group_norm.bias)
        out: Tensor = self.second(F.pad(x, padding))
        return out[:, :frames]

    def _hertz(self, probabilities: Tensor, threshold: float) -> Tensor:
        """probabilities: (frames, bins). Returns (frames,): the mean of the bins around the most probable one."""
        highest, best = probabilities.max(1, keepdim=True)
        offsets = torch.arange(-NEIGHBORS, NEIGHBORS + 1, device=probabilities.device)
        # At the ends, the outermost bin counts several times.
        bins = (best + offsets).clamp(0, BINS - 1)
        weights = probabilities.gather(1, bins)
        cents = (self.cents[bins] * weights).sum(1) / weights.sum(1)
        return torch.where(highest[:, 0] > threshold, 10 * 2 ** (cents / 1200), 0)


def mel_filters() -> NDArray[np.float32]:
    """Return (mels, FFT // 2 + 1): triangular filters of equal area on Slaney's mel scale (Auditory Toolbox, 1998).

    That scale is linear below 1 kHz, where a mel is 200/3 Hz, and logarithmic above, where 27 mels are a factor of 6.4.
    """
    linear, knee, step = 200 / 3, 1000.0, np.log(6.4) / 27
    highest = knee / linear + np.log(SAMPLE_RATE / 2 / knee) / step
    mels = np.linspace(0, highest, MELS + 2)
    hertz = np.where(mels < knee / linear, mels * linear, knee * np.exp(step * (mels - knee / linear)))
    bins = np.linspace(0, SAMPLE_RATE / 2, FFT // 2 + 1)
    rising = (bins - hertz[:-2, None]) / (hertz[1:-1] - hertz[:-2])[:, None]
    falling = (hertz[2:, None] - bins) / (hertz[2:] - hertz[1:-1])[:, None]
    filters = np.maximum(0, np.minimum(rising, falling)) * (2 / (hertz[2:] - hertz[:-2]))[:, None]
    result: NDArray[np.float32] = filters.astype(np.float32)
    return result
