"""How good units are: how many are used, and how well they agree with phones."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spiritlm_cli.alignment.pocketsphinx import Phone

if TYPE_CHECKING:
    from rich.table import Table

Labels = NDArray[np.int64]


@dataclass(frozen=True)
class PhoneAgreement:
    """Agreement of units with phones, frame by frame (Hsu et al. 2021, arXiv 2106.07447, "Metrics of Target Quality").

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
        _, u = np.unique(units, return_inverse=True)
        _, p = np.unique(phones, return_inverse=True)
        joint = np.zeros((u.max() + 1, p.max() + 1))
        np.add.at(joint, (u, p), 1)
        joint /= joint.sum()
        by_unit, by_phone = joint.sum(1, keepdims=True), joint.sum(0, keepdims=True)
        seen = joint > 0
        mutual = (joint[seen] * np.log(joint[seen] / (by_unit * by_phone)[seen])).sum()
        entropy = -(by_phone * np.log(by_phone)).sum()
        pnmi = float(mutual / entropy) if entropy > 0 else 0.0
        return cls(float(joint.max(1).sum()), float(joint.max(0).sum()), pnmi)


@dataclass(frozen=True)
class UnitQuality:
    """The report of `train units`.

    entropy_bits: of the distribution of frames over units; its maximum is log2(units). units_per_second: after runs
    are merged. aligned_clips: clips that have phones. agreement: None if there are none.
    """

    clips: int
    hours: float
    rate: float
    units: int
    used_units: int
    entropy_bits: float
    units_per_second: float
    aligned_clips: int = 0
    agreement: PhoneAgreement | None = field(default=None)

    def to_json(self) -> dict[str, Any]:
        """Return all figures, those of the agreement beside the others."""
        figures = asdict(self)
        return figures | (figures.pop("agreement") or {})

    def table(self) -> "Table":
        """Return a table with a row for each figure."""
        from rich.table import Table

        table = Table("Figure", title="Units")
        table.add_column("Value", justify="right")
        rows = [
            ("clips", str(self.clips)),
            ("hours", f"{self.hours:.2f}"),
            ("frames per second", f"{self.rate:g}"),
            ("units", str(self.units)),
            ("units used", f"{self.used_units} ({100 * self.used_units / self.units:.0f} %)"),
            ("entropy, bits", f"{self.entropy_bits:.2f} of {np.log2(self.units):.2f}"),
            ("units per second, runs merged", f"{self.units_per_second:.1f}"),
        ]
        if self.agreement:
            rows += [
                ("clips with phones", str(self.aligned_clips)),
                ("phone purity", f"{self.agreement.phone_purity:.3f}"),
                ("cluster purity", f"{self.agreement.cluster_purity:.3f}"),
                ("PNMI", f"{self.agreement.pnmi:.3f}"),
            ]
        for row in rows:
            table.add_row(*row)
        return table


def measure_units(
    labels: Mapping[str, Labels], phones: Mapping[str, Sequence[Phone]], units: int, rate: float
) -> UnitQuality:
    """Measure units. labels: (frames,) by clip id, at `rate` Hz. phones: by clip id, of some clips or of none.

    units: size of the codebook. Frames at which no phone is are left out of the comparison with phones.
    """
    counts = np.zeros(units)
    runs = frames = 0
    for clip in labels.values():
        np.add.at(counts, clip, 1)
        runs += int((np.diff(clip) != 0).sum()) + bool(len(clip))
        frames += len(clip)
    share = counts[counts > 0] / max(1, frames)
    seconds = frames / rate
    aligned = [clip for clip in labels if clip in phones]
    names = np.array(
        [name for clip in aligned for name in frame_phones(phones[clip], len(labels[clip]), rate)]
    )
    agreement = None
    if (names != "").any():
        known = np.concatenate([labels[clip] for clip in aligned])
        agreement = PhoneAgreement.measure(known[names != ""], names[names != ""])
    return UnitQuality(
        clips=len(labels),
        hours=seconds / 3600,
        rate=rate,
        units=units,
        used_units=int((counts > 0).sum()),
        entropy_bits=float((share * np.log2(1 / share)).sum()),
        units_per_second=runs / max(seconds, 1e-9),
        aligned_clips=len(aligned),
        agreement=agreement,
    )


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
