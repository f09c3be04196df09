"""Unit edit distance: how much units change when speech is changed, or spoken by somebody else.

Source: Gat et al. 2023 (arXiv 2209.15483), "Augmentation invariant discrete representation for generative spoken
language modeling".
"""

from collections.abc import Iterable
from dataclasses import dataclass

from spiritlm_cli.tokens.edit_distance import edit_path
from spiritlm_cli.tokens.timeline import run_starts
from spiritlm_cli.tokens.units import IntArray


@dataclass(frozen=True)
class UnitEdits:
    """Edits that turn the units of a clip into those of another one, runs merged.

    edits: the Levenshtein distance. units, frames: length of the first one, runs merged and not.
    """

    edits: int
    units: int
    frames: int

    @classmethod
    def between(cls, clean: IntArray, changed: IntArray) -> "UnitEdits":
        """clean, changed: (frames,) units, runs not merged."""
        return cls.in_both_directions(clean, changed)[0]

    @classmethod
    def in_both_directions(cls, one: IntArray, other: IntArray) -> tuple["UnitEdits", "UnitEdits"]:
        """The edits from one clip to another and back: as many, divided by other lengths. Arguments as of `between`."""
        units, other_units = (clip[run_starts(clip)].tolist() for clip in (one, other))
        edits = edit_path(units, other_units).distance
        return cls(edits, len(units), len(one)), cls(edits, len(other_units), len(other))

    @property
    def rate(self) -> float:
        """Edits / units of the first; without units, edits."""
        return self.edits / max(1, self.units)


def corpus_rate(edits: Iterable[UnitEdits]) -> float:
    """Σ edits / Σ units: long clips have more weight."""
    edits = list(edits)
    return sum(item.edits for item in edits) / max(1, sum(item.units for item in edits))


def mean_rate(edits: Iterable[UnitEdits]) -> float:
    """The mean of the clips' edits / units."""
    edits = list(edits)
    return sum(item.rate for item in edits) / max(1, len(edits))
