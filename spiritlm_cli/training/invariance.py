"""How much units change when speech is changed as in `PERTURBATIONS`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from spiritlm_cli.evaluation.unit_edits import UnitEdits, corpus_rate
from spiritlm_cli.manifests.clip import FloatArray
from spiritlm_cli.speech.hubert import Hubert
from spiritlm_cli.speech.perturbation import perturb
from spiritlm_cli.speech.quantizer import KMeansQuantizer, LinearQuantizer, fill_blanks
from spiritlm_cli.speech.windows import split_windows
from spiritlm_cli.tokens.units import IntArray
from spiritlm_cli.training.data import Recording
from spiritlm_cli.training.options import PERTURBATIONS

if TYPE_CHECKING:
    from rich.table import Table

Quantizer = KMeansQuantizer | LinearQuantizer


@dataclass(frozen=True)
class InvarianceReport:
    """Unit error rates of changed speech against the speech as it is, for each quantizer and each change.

    rates: by quantizer, then by change; edits / units of the unchanged speech, runs merged.
    """

    clips: int
    rates: Mapping[str, Mapping[str, float]]

    def to_json(self) -> dict[str, Any]:
        """Return the rates as shares."""
        return {
            "clips": self.clips,
            "unit_error_rate": {name: dict(rates) for name, rates in self.rates.items()},
        }

    def table(self) -> "Table":
        """Return a table with a row for each change and a column for each quantizer."""
        from rich.table import Table

        table = Table("Change", title=f"Unit error rate against unchanged speech, %, {self.clips} clips")
        for name in self.rates:
            table.add_column(name, justify="right")
        for change in PERTURBATIONS:
            table.add_row(change, *(f"{100 * rates[change]:.1f}" for rates in self.rates.values()))
        return table


def measure_invariance(
    hubert: Hubert, quantizers: Mapping[str, Quantizer], recordings: Sequence[Recording], seed: int = 0
) -> InvarianceReport:
    """Measure quantizers on clips. hubert, quantizers: on one device. quantizers: by the name in the report."""
    edits: dict[str, dict[str, list[UnitEdits]]] = {
        name: {change: [] for change in PERTURBATIONS} for name in quantizers
    }
    for index, recording in enumerate(recordings):
        samples = recording.waveform.samples
        clean = {name: clip_units(hubert, q, samples) for name, q in quantizers.items()}
        for change in PERTURBATIONS:
            rng = np.random.default_rng([seed, index, PERTURBATIONS.index(change)])
            changed, _ = perturb(change, torch.from_numpy(samples)[None], rng)
            for name, quantizer in quantizers.items():
                got = clip_units(hubert, quantizer, changed[0].numpy())
                edits[name][change].append(UnitEdits.between(clean[name], got))
    rates = {
        name: {change: corpus_rate(clips) for change, clips in changes.items()}
        for name, changes in edits.items()
    }
    return InvarianceReport(len(recordings), rates)


@torch.inference_mode()
def clip_units(hubert: Hubert, quantizer: Quantizer, samples: FloatArray) -> IntArray:
    """Return the unit of each frame, as the tokenizer does. samples: (samples,). Returns (frames,) int64."""
    device = next(hubert.parameters()).device
    windows = [torch.from_numpy(window).to(device) for window in split_windows(samples)]
    whole = [window for window in windows if len(window) >= hubert.receptive_field]
    classes = [quantizer(hubert([window])[0].float()).cpu().numpy() for window in whole]
    return fill_blanks(np.concatenate(classes), quantizer.blank)
