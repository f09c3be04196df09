"""Style units: a wav2vec 2.0 classifier of each second of a clip, with the tensor names of transformers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from spiritlm_cli.checkpoints.tensors import build_on_meta, load_into, read_tensors, rename_tensor
from spiritlm_cli.checkpoints.weight_norm import fold_weight_norm
from spiritlm_cli.config import Count, Size
from spiritlm_cli.nn.layers import Linear
from spiritlm_cli.speech import hugging_face
from spiritlm_cli.speech.encoder import SpeechEncoder
from spiritlm_cli.speech.hugging_face import HuggingFaceConfig

# Frames at 50 Hz of one style unit: a second.
FRAMES_PER_UNIT = 50

# From the names of layers in transformers to this module's; `{}` is a layer's index.
NAMES = {
    **{f"wav2vec2.{name}": f"encoder.{ours}" for name, ours in hugging_face.NAMES.items()},
    "projector": "projector",
    "classifier": "classifier",
}
# Tensors for training only.
_UNUSED = ("_float_tensor", "wav2vec2.masked_spec_embed")


@dataclass(frozen=True, kw_only=True)
class StyleConfig(HuggingFaceConfig):
    """The keys of `config.json` that determine the network; see `HuggingFaceConfig`."""

    classifier_proj_size: Size
    id2label: dict[str, str | Count]


class StyleEncoder(nn.Module):
    """Classifies the style of each second of a clip."""

    def __init__(self, config: StyleConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = SpeechEncoder(config.encoder)
        self.projector = Linear(config.hidden_size, config.classifier_proj_size)
        self.classifier = Linear(config.classifier_proj_size, len(config.id2label))

    @classmethod
    def load(cls, path: Path) -> "StyleEncoder":
        """Load the classifier from a file, with `config.json` beside it. Raises CheckpointError."""
        config_path = path.parent / "config.json"
        config = StyleConfig.read(config_path)
        model = build_on_meta(lambda: cls(config), config_path)
        load_into(
            model,
            fold_weight_norm(read_tensors(path)),
            rename=lambda name: rename_tensor(name, NAMES),
            ignore=_UNUSED,
        )
        return model.eval().requires_grad_(False)

    def logits(self, waveforms: Sequence[Tensor]) -> list[Tensor]:
        """waveforms: each (samples,) at 16 kHz. Returns (seconds, styles) for each; the last second can be partial."""
        encoded = self.encoder([_normalize(waveform) for waveform in waveforms])
        frames = [len(clip) for clip in encoded]
        projected = torch.split(self.projector(torch.cat(encoded)), frames)
        means = [
            torch.stack([second.mean(0) for second in torch.split(clip, FRAMES_PER_UNIT)])
            for clip in projected
        ]
        logits: Tensor = self.classifier(torch.cat(means))
        return list(torch.split(logits, [len(clip) for clip in means]))

    def forward(self, waveforms: Sequence[Tensor]) -> list[Tensor]:
        """waveforms: each (samples,) at 16 kHz. Returns (seconds,) int64 units for each."""
        return [logits.argmax(1) for logits in self.logits(waveforms)]


def _normalize(waveform: Tensor) -> Tensor:
    """Normalize (samples,) to mean 0 and variance 1, as the feature extractor of facebook/wav2vec2-base does."""
    centered = waveform - waveform.mean()
    return centered / torch.sqrt(centered.square().mean() + 1e-7)


def release_state_dict(model: StyleEncoder) -> dict[str, Tensor]:
    """Return a model's tensors, named as in the release's file; `StyleEncoder.load` reads them."""
    file_names = {ours: name for name, ours in NAMES.items()}
    return {rename_tensor(name, file_names): tensor for name, tensor in model.state_dict().items()}
