"""How good units are: how many are used, and how well they agree with phones."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from spiritlm_cli.alignment.pocketsphinx import Phone
from spiritlm_cli.evaluation.bitrate import entropy_bits
from spiritlm_cli.evaluation.phone_agreement import Labels, PhoneAgreement, frame_phones

if TYPE_CHECKING:
    from rich.table import Table


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
        entropy_bits=entropy_bits(counts),
        units_per_second=runs / max(seconds, 1e-9),
        aligned_clips=len(aligned),
        agreement=agreement,
    )
