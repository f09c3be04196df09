"""The output of a classifier."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from spiritlm_cli.nn.device import check_finite


@dataclass(frozen=True)
class Classification:
    """The probability of each label, in the order of the classifier's outputs.

    They sum to 1, unless the classifier has several labels that are independent (`multi_label_classification`) or one.
    """

    probabilities: Mapping[str, float]

    @property
    def label(self) -> str:
        """The most probable label; of equals, the first."""
        return max(self.probabilities, key=lambda label: self.probabilities[label])

    @classmethod
    def of(cls, logits: Any, labels: tuple[str, ...], independent: bool) -> "Classification":
        """logits: (labels,). independent: each label has a probability of its own, the sigmoid of its logit."""
        check_finite([logits])
        logits = logits.double().cpu()
        values = torch.sigmoid(logits) if independent or len(labels) == 1 else torch.softmax(logits, 0)
        return cls(dict(zip(labels, values.tolist(), strict=True)))
