"""How well units agree with phones, frame by frame.

Source: Hsu et al. 2021 (HuBERT, arXiv 2106.07447), "Metrics of Target Quality".
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spiritlm_cli.alignment.pocketsphinx import Phone
from spiritlm_cli.manifests.clip import Alignment

# The phone of frames at which nothing is spoken, as pocketsphinx calls it.
SILENCE = "SIL"
# A vowel of ARPABET with its stress.
_STRESSED = re.compile(r"([A-Z]{2})[012]")

Labels = NDArray[np.int64]
Counts = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Information:
    """What units and phones say about each other, in nats.

    mutual: mutual information of phones and units. phone_entropy, unit_entropy: of their distributions over frames.
    """

    mutual: float
    phone_entropy: float
    unit_entropy: float

    @classmethod
    def of_counts(cls, counts: Counts) -> "Information":
        """counts: (units, phones), number of frames of each pair."""
        joint = counts / counts.sum()
        by_unit, by_phone = joint.sum(1, keepdims=True), joint.sum(0, keepdims=True)
        seen = joint > 0
        mutual = (joint[seen] * np.log(joint[seen] / (by_unit * by_phone)[seen])).sum()
        return cls(float(mutual), _entropy(by_phone), _entropy(by_unit))


@dataclass(frozen=True)
class PhoneAgreement:
    """Agreement of units with phones.

    phone_purity: mean over frames of p(most frequent phone of the unit | unit), the accuracy of the best map from units
    to phones. cluster_purity: mean over frames of p(most frequent unit of the phone | phone); it falls with the number
    of units. pnmi: mutual information of phones and units divided by the entropy of the phones. All are from 0 to 1.
    """

    phone_purity: float
    cluster_purity: float
    pnmi: float

    @classmethod
    def measure(cls, units: Labels, phones: NDArray[np.str_]) -> "PhoneAgreement":
        """units: (frames,) int64. phones: (frames,), names."""
        return cls.of_counts(count_pairs(units, phones))

    @classmethod
    def of_counts(cls, counts: Counts) -> "PhoneAgreement":
        """counts: (units, phones), number of frames of each pair."""
        information, frames = Information.of_counts(counts), counts.sum()
        pnmi = information.mutual / information.phone_entropy if information.phone_entropy > 0 else 0.0
        return cls(float(counts.max(1).sum() / frames), float(counts.max(0).sum() / frames), pnmi)


def count_pairs(units: Labels, phones: NDArray[np.str_]) -> Counts:
    """Count the frames of each unit and phone. units: (frames,). phones: (frames,), names. Returns (units, phones)."""
    _, u = np.unique(units, return_inverse=True)
    _, p = np.unique(phones, return_inverse=True)
    counts = np.zeros((u.max() + 1, p.max() + 1))
    np.add.at(counts, (u, p), 1)
    return counts


def _entropy(shares: Counts) -> float:
    seen = shares[shares > 0]
    return float((seen * np.log(1 / seen)).sum())


def frame_phones(phones: Sequence[Phone], frames: int, rate: float, thirds: bool = False) -> list[str]:
    """Label each frame with the phone at its center; "" for no phone.

    rate: frames per second. thirds: append the third of the phone, as in "AH1" for the middle of an AH.
    """
    labels = [""] * frames
    for phone in phones:
        first, last = int(np.ceil(phone.start * rate - 0.5)), int(np.ceil(phone.end * rate - 0.5))
        for frame in range(max(0, first), min(frames, last)):
            third = int(3 * ((frame + 0.5) / rate - phone.start) / max(phone.end - phone.start, 0.01))
            labels[frame] = f"{phone.phone}{min(2, third)}" if thirds else phone.phone
    return labels


def spoken_phones(alignment: Alignment) -> tuple[Phone, ...]:
    """The phones of an alignment whose words are phones; digits of stress are dropped (AH0 is AH)."""
    return tuple(Phone(_STRESSED.sub(r"\1", word.word), word.start, word.end) for word in alignment.words)
