"""The range of the units of training data, which must be within that of the vocabulary."""

from collections.abc import Mapping
from typing import Any

from spiritlm_cli.errors import TokenError
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan
from spiritlm_cli.tokens.units import Kind, Unit, Units


class HighestUnits:
    """The highest unit of each kind in the data that are added, and where it is."""

    def __init__(self) -> None:
        self._highest: dict[Kind, tuple[int, str]] = {}

    def add(self, kind: Kind, unit: int, where: str) -> None:
        """Add a unit. where: file and line, or file and clip, for errors."""
        if kind not in self._highest or unit > self._highest[kind][0]:
            self._highest[kind] = unit, where

    def add_sequence(self, sequence: Sequence, where: str) -> None:
        """Add the units of a token line."""
        for span in sequence.speech:
            for kind in Kind:
                if ids := [unit.id for unit in span.units if unit.kind is kind]:
                    self.add(kind, max(ids), where)

    def add_units(self, units: Units, where: str) -> None:
        """Add the units of a clip."""
        for kind, ids in ((Kind.HUBERT, units.hubert), (Kind.PITCH, units.pitch), (Kind.STYLE, units.style)):
            if ids is not None and len(ids):
                self.add(kind, int(ids.max()), where)

    def merge(self, other: "HighestUnits") -> None:
        """Add the units of other data."""
        for kind, (unit, where) in other._highest.items():
            self.add(kind, unit, where)

    def to_json(self) -> dict[str, list[int | str]]:
        """The highest unit and its place by kind, for `from_json`."""
        return {kind.value: list(highest) for kind, highest in self._highest.items()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "HighestUnits":
        """Read what `to_json` returns. Raises ValueError or TypeError for anything else."""
        highest = cls()
        for kind, (unit, where) in content.items():
            highest.add(Kind(kind), int(unit), str(where))
        return highest

    def check(self, vocabulary: Vocabulary) -> None:
        """Raise TokenError, with the place, for a unit that a vocabulary does not have."""
        for kind, (unit, where) in self._highest.items():
            try:
                vocabulary.encode(Sequence((SpeechSpan((Unit(kind, unit),)),)))
            except TokenError as error:
                raise TokenError(f"{where}: {error}") from None
