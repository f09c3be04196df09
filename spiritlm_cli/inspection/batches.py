"""Whether units depend on the batch that a clip is encoded in: each clip alone, against the same clip in batches."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich.table import Table

from spiritlm_cli.console import counted
from spiritlm_cli.inspection.timeline import RATES
from spiritlm_cli.manifests.clip import FloatArray, Waveform
from spiritlm_cli.speech.tokenizer import EncodedWindow, SpeechTokenizer
from spiritlm_cli.speech.windows import SAMPLE_RATE, WINDOW_SAMPLES, split_windows
from spiritlm_cli.tokens.units import IntArray, Kind, Unit, Units

# How the windows of a group of clips are batched.
TOGETHER, SHUFFLED, PAIRS = "all together", "all together, shuffled", "pairs, shuffled"
LONG, AGAIN = "all together, with a long clip", "alone, a second time"
ARRANGEMENTS = (AGAIN, TOGETHER, SHUFFLED, PAIRS, LONG)

# The long clip has this many times the length of the longest of its batch, up to a whole window.
_LONG = 4


@dataclass(frozen=True)
class BatchDifference:
    """Units of a clip that differ in a batch.

    id: of the clip. batch: of `ARRANGEMENTS`. kind: the stream. count: number of units that differ. seconds: start of
    the first of them. alone, batched: the first of them, of the clip alone and in the batch.
    """

    id: str
    batch: str
    kind: Kind
    count: int
    seconds: float
    alone: Unit
    batched: Unit

    def __str__(self) -> str:
        units = counted(self.count, "unit differs", "units differ")
        where = f"{self.id}: {self.batch}: {units}, first at {self.seconds:.2f} s"
        return f"{where}: {self.alone} alone, {self.batched} in the batch"

    def to_json(self) -> dict[str, Any]:
        """Return an object for `json.dumps`."""
        return {
            "id": self.id,
            "batch": self.batch,
            "stream": self.kind.value,
            "different": self.count,
            "first_at": round(self.seconds, 2),
            "alone": str(self.alone),
            "batched": str(self.batched),
        }


@dataclass
class ArrangementCounts:
    """What was compared in one arrangement. units: of all streams; different: of these."""

    batches: int = 0
    units: int = 0
    different: int = 0


@dataclass
class BatchReport:
    """The result of the comparison. setting: model, device, dtype and version of torch, in words."""

    setting: dict[str, str]
    clips: int = 0
    seconds: float = 0.0
    counts: dict[str, ArrangementCounts] = field(
        default_factory=lambda: {name: ArrangementCounts() for name in ARRANGEMENTS}
    )
    differences: list[BatchDifference] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Whether no unit differs."""
        return not any(counts.different for counts in self.counts.values())

    @property
    def verdict(self) -> str:
        """One sentence."""
        if not self.clips:
            return "No clip was compared"
        what = f"{counted(self.clips, 'clip')} of {self.seconds:,.1f} s"
        batches = sum(counts.batches for counts in self.counts.values())
        units = sum(counts.units for counts in self.counts.values())
        different = sum(counts.different for counts in self.counts.values())
        where = f"({', '.join(self.setting.values())})"
        if self.equal:
            return f"Exact: {what} have the same units alone and in {batches:,} batches {where}"
        share = f"{different:,} of {units:,} units ({100 * different / units:.3g} %)"
        return f"Not exact: {share} of {what} differ in {batches:,} batches from those of the clips alone {where}"

    def to_json(self) -> dict[str, Any]:
        """Return an object for `json.dumps`."""
        return {
            "equal": self.equal,
            **self.setting,
            "clips": self.clips,
            "seconds": round(self.seconds, 2),
            "batches": {name: vars(counts) for name, counts in self.counts.items()},
            "differences": [difference.to_json() for difference in self.differences],
        }

    def table(self) -> Table:
        """Return a table with a row for each arrangement."""
        table = Table(box=None, pad_edge=False)
        table.add_column("batches")
        for heading in ("number", "units compared", "different"):
            table.add_column(heading, justify="right")
        for name, counts in self.counts.items():
            table.add_row(name, f"{counts.batches:,}", f"{counts.units:,}", f"{counts.different:,}")
        return table


class BatchComparison:
    """Encodes clips alone and in batches. report: of the clips so far."""

    def __init__(
        self, tokenizer: SpeechTokenizer, report: BatchReport, group_seconds: float, seed: int
    ) -> None:
        """group_seconds: of the clips that are in memory at once, and of the largest batch. seed: of the shuffles."""
        self._tokenizer, self.report = tokenizer, report
        self._group_seconds = group_seconds
        self._rng = np.random.default_rng(seed)

    def compare(self, clips: Iterable[tuple[str, Waveform]]) -> Iterator[list[BatchDifference]]:
        """Compare clips, given by id and waveform at 16 kHz. Yields the differences of each group of clips.

        Raises AudioError for a clip that can't be encoded.
        """
        group: list[_Clip] = []
        for name, waveform in clips:
            clip = _Clip(name, split_windows(self._tokenizer.check_waveform(waveform)))
            if group and sum(one.seconds for one in [*group, clip]) > self._group_seconds:
                yield self._compare_group(group)
                group = []
            group.append(clip)
        if group:
            yield self._compare_group(group)

    def _compare_group(self, group: "list[_Clip]") -> list[BatchDifference]:
        windows = [window for clip in group for window in clip.windows]
        alone = self._encode(windows, [[index] for index in range(len(windows))])
        units = self._join(group, alone)
        differences = []
        for name in ARRANGEMENTS:
            counts = self.report.counts[name]
            batches = self._batches(name, windows)
            counts.batches += len(batches)
            encoded = self._join(group, self._encode([*windows, _long(windows)], batches))
            for clip, one, other in zip(group, units, encoded, strict=True):
                counts.units += sum(len(ids) for ids in _streams(one).values())
                for difference in _differences(clip.id, name, one, other):
                    counts.different += difference.count
                    differences.append(difference)
        self.report.clips += len(group)
        self.report.seconds += sum(clip.seconds for clip in group)
        self.report.differences += differences
        return differences

    def _batches(self, name: str, windows: list[FloatArray]) -> list[list[int]]:
        """The indices of the windows of each batch; that after the last window is the long clip's."""
        order = list(range(len(windows)))
        if name in (SHUFFLED, PAIRS):
            order = self._rng.permutation(len(windows)).tolist()
        if name in (AGAIN, PAIRS):
            size = 1 if name == AGAIN else 2
            return [order[first : first + size] for first in range(0, len(order), size)]
        return [[len(windows), *order] if name == LONG else order]

    def _encode(self, windows: list[FloatArray], batches: list[list[int]]) -> list[EncodedWindow]:
        encoded: dict[int, EncodedWindow] = {}
        for batch in batches:
            results = self._tokenizer.encode_windows([windows[index] for index in batch])
            encoded.update(zip(batch, results, strict=True))
        return [encoded[index] for index in sorted(encoded)]

    def _join(self, group: "list[_Clip]", encoded: Sequence[EncodedWindow]) -> list[Units]:
        units, first = [], 0
        for clip in group:
            units.append(self._tokenizer.join_windows(encoded[first : first + len(clip.windows)]))
            first += len(clip.windows)
        return units


@dataclass(frozen=True, eq=False)
class _Clip:
    id: str
    windows: list[FloatArray]

    @property
    def seconds(self) -> float:
        return sum(map(len, self.windows)) / SAMPLE_RATE


def _long(windows: list[FloatArray]) -> FloatArray:
    """The windows one after another, repeated up to the length of the long clip."""
    length = min(_LONG * max(map(len, windows)), WINDOW_SAMPLES)
    return np.resize(np.concatenate(windows), length)


def _streams(units: Units) -> dict[Kind, IntArray]:
    streams = {Kind.HUBERT: units.hubert, Kind.PITCH: units.pitch, Kind.STYLE: units.style}
    return {kind: ids for kind, ids in streams.items() if ids is not None}


def _differences(id: str, batch: str, alone: Units, batched: Units) -> Iterator[BatchDifference]:  # noqa: A002
    others = _streams(batched)
    for kind, ids in _streams(alone).items():
        different = np.flatnonzero(ids != others[kind])
        if len(different):
            first = int(different[0])
            pair = (Unit(kind, int(ids[first])), Unit(kind, int(others[kind][first])))
            yield BatchDifference(id, batch, kind, len(different), first / RATES[kind], *pair)
