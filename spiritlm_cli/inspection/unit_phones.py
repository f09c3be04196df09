"""Which phones a unit stands for: the phones that are spoken at its places."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich.table import Table

from spiritlm_cli.alignment.pocketsphinx import Phone
from spiritlm_cli.inspection.concordance import Place
from spiritlm_cli.tokens.timeline import HUBERT_RATE

# Columns of the bar of the most frequent phone.
_BAR = 30


@dataclass
class PhoneCounts:
    """Frames of 40 ms by the phone at their center. clips: those whose phones could be aligned; others: all others."""

    clips: int = 0
    others: int = 0
    frames: Counter[str] = field(default_factory=Counter)

    def add(self, places: Iterable[Place], phones: tuple[Phone, ...] | None) -> None:
        """Count the frames of a clip's places. phones: of the clip, in time order; None if they are unknown."""
        if phones is None:
            self.others += 1
            return
        self.clips += 1
        starts = np.array([phone.start for phone in phones])
        for place in places:
            count = round((place.end - place.start) * HUBERT_RATE)
            centers = place.start + (np.arange(count) + 0.5) / HUBERT_RATE
            for index, center in zip(
                np.searchsorted(starts, centers, side="right") - 1, centers, strict=True
            ):
                # After the last phone, and between two, is silence.
                spoken = index >= 0 and center < phones[index].end
                self.frames[phones[index].phone if spoken else "SIL"] += 1

    @property
    def shares(self) -> list[tuple[str, float]]:
        """P(phone | unit) of each phone, the most frequent first; those that are as frequent by their names."""
        total = self.frames.total()
        pairs = sorted(self.frames.items(), key=lambda item: (-item[1], item[0]))
        return [(phone, count / total) for phone, count in pairs]

    @property
    def purity(self) -> float | None:
        """Share of the most frequent phone: the unit's term of the phone purity of Hsu et al. 2021 (HuBERT)."""
        return self.shares[0][1] if self.frames else None

    def to_json(self) -> dict[str, Any]:
        """Return an object for `json.dumps`."""
        return {
            "clips": self.clips,
            "clips_without_phones": self.others,
            "frames": self.frames.total(),
            "purity": None if self.purity is None else round(self.purity, 4),
            "phones": {phone: round(share, 4) for phone, share in self.shares},
        }

    def table(self) -> Table:
        """Return a table of the phones, with bars."""
        table = Table(box=None, pad_edge=False)
        table.add_column("phone")
        table.add_column("P(phone | unit)", justify="right")
        table.add_column("")
        for phone, share in self.shares:
            table.add_row(phone, f"{100 * share:.1f} %", "█" * round(_BAR * share / self.shares[0][1]))
        return table
