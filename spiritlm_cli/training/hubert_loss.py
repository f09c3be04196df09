"""Distance between generated and real speech in the features of a trained HuBERT."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spiritlm_cli.errors import OptionError
from spiritlm_cli.speech.hubert import Hubert


class HubertLoss(nn.Module):
    """L1 distance of normalized HuBERT features, the mean of those after the convolutions and after the last layer.

    Spectral losses count all errors alike; features of HuBERT differ most where speech would be heard as other phones.
    HuBERT is frozen. Features are normalized to mean 0 and variance 1 over their dimensions, so that both count alike.
    """

    def __init__(self, weights: Path, samples: int) -> None:
        """weights: as `Hubert.load` takes them. samples: length of the waveforms.

        Raises CheckpointError for weights that can't be loaded, OptionError for waveforms that are too short for it.
        """
        super().__init__()
        self._hubert = Hubert.load(weights)
        if samples < self._hubert.receptive_field:
            raise OptionError(
                f"makes crops of {samples} samples; {weights} needs {self._hubert.receptive_field}",
                "--frames",
            )

    def forward(self, generated: Tensor, real: Tensor) -> Tensor:
        """Compare waveforms at 16 kHz. generated, real: (batch, samples). Returns a scalar."""
        with torch.no_grad():
            targets = self._features(real)
        pairs = zip(self._features(generated), targets, strict=True)
        return torch.stack([F.l1_loss(ours, theirs) for ours, theirs in pairs]).mean()

    def _features(self, waveforms: Tensor) -> list[Tensor]:
        """Features after the convolutions and after the last layer: (batch, frames, dim) each, float32."""
        encoder = self._hubert.encoder
        embedded = encoder.embed(self._hubert.prepare(waveforms.unbind()))
        stacked = [torch.stack(list(x)).float() for x in (embedded, encoder.contextualize(embedded, 0.0))]
        return [F.layer_norm(x, x.shape[-1:]) for x in stacked]
