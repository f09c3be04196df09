"""Pairs of which one side should be likelier: how often the language model finds it so."""

import csv
import math
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from itertools import chain, islice, product
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from rich.table import Table

from spiritlm_cli.audio.clip import Clip
from spiritlm_cli.errors import ManifestError, SpiritLMError, TokenError
from spiritlm_cli.language.model import LanguageModel, Score
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.reader import parse_sequence
from spiritlm_cli.tokens.sequence import Sequence
from spiritlm_cli.tokens.timeline import merge_streams

T = TypeVar("T")

# Clips whose units wait to be scored together: several batches of either kind.
_HEARD_AT_ONCE = 512


class Scorer(Protocol):
    """What says how likely sequences are: a `LanguageModel`."""

    def score_each(
        self, items: Iterable[T], sequence: Callable[[T], Sequence]
    ) -> Iterable[tuple[T, Callable[[], Score]]]:
        """Items in order, each with what gives the score of its sequence, to be called before the next is taken.

        That raises SpiritLMError where the item can't be used, such as what `sequence` raised.
        """


@dataclass(frozen=True)
class Candidate:
    """One thing to be scored. name: in what is written of it; where: in errors; content: it, or its sound."""

    name: str
    where: str
    content: Sequence | Clip


@dataclass(frozen=True)
class Group:
    """What pairs are told apart by, such as their type. place: before name in the order of a table's rows."""

    kind: str
    name: str
    place: int = 0


@dataclass(frozen=True)
class Pair:
    """Two candidates, of which `good` should be the likelier; where a side has several, each meets each of the other.

    source: file and line, for errors. item: what it is a reading of: the readings (voices) of one item in a set
    (dev, test) are averaged before the items are. By default it is an item of its own.
    """

    id: str
    source: str
    good: tuple[Candidate, ...]
    bad: tuple[Candidate, ...]
    groups: tuple[Group, ...] = ()
    item: str | None = None
    voice: str | None = None
    set: str | None = None

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        return self.good + self.bad


@dataclass(frozen=True)
class Lone:
    """A candidate that is to be scored, and is compared with nothing."""

    id: str
    source: str
    candidate: Candidate
    set: str | None = None

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        return (self.candidate,)


@dataclass(frozen=True)
class BadPair:
    """A pair that can't be used, and why. id: its own, or its line's number."""

    id: str
    source: str
    error: SpiritLMError
    set: str | None = None

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        return ()


Entry = Pair | Lone | BadPair


@dataclass(frozen=True)
class Comparison:
    """What a pair gave. good, bad: the scores of each side's candidates.

    by_mean, by_sum: the part of the meetings that the good side wins, a tie counts half, by log-likelihood per
    token and by that of the whole.
    """

    pair: Pair
    good: tuple[Score, ...]
    bad: tuple[Score, ...]
    by_mean: float
    by_sum: float

    @classmethod
    def of(cls, pair: Pair, good: tuple[Score, ...], bad: tuple[Score, ...]) -> "Comparison":
        """Neither side may be empty."""
        meetings = list(product(good, bad))
        by_mean = sum(_won(a.mean, b.mean) for a, b in meetings) / len(meetings)
        by_sum = sum(_won(a.log_likelihood, b.log_likelihood) for a, b in meetings) / len(meetings)
        return cls(pair, good, bad, by_mean, by_sum)

    def to_json(self) -> dict[str, Any]:
        """For `json.dumps`. Log-likelihoods are natural logarithms; mean is per token."""
        found: dict[str, Any] = {"id": self.pair.id}
        if self.pair.set is not None:
            found["set"] = self.pair.set
        if self.pair.voice is not None:
            found["voice"] = self.pair.voice
        found |= {group.kind: group.name for group in self.pair.groups}
        for side, candidates, scores in (
            ("good", self.pair.good, self.good),
            ("bad", self.pair.bad, self.bad),
        ):
            found[side] = [
                {"name": candidate.name, **asdict(score), "mean": score.mean}
                for candidate, score in zip(candidates, scores, strict=True)
            ]
        return found | {"by_mean": self.by_mean, "by_sum": self.by_sum}


@dataclass(frozen=True)
class Scored:
    """An entry and the scores of its candidates, or why one has none."""

    entry: Entry
    scores: tuple[Score | SpiritLMError, ...]

    def known(self) -> Iterator[tuple[str, Score]]:
        """The names and scores of the candidates that have one."""
        for candidate, score in zip(self.entry.candidates, self.scores, strict=True):
            if isinstance(score, Score):
                yield candidate.name, score

    def comparison(self) -> Comparison | None:
        """Raises SpiritLMError where a candidate has no score, or the entry can't be used; None for a Lone."""
        if isinstance(self.entry, BadPair):
            raise self.entry.error
        scores: list[Score] = []
        for candidate, score in zip(self.entry.candidates, self.scores, strict=True):
            if isinstance(score, SpiritLMError):
                named = str(score).startswith(f"{candidate.where}:")
                raise score if named else type(score)(f"{candidate.where}: {score}")
            scores.append(score)
        if isinstance(self.entry, Lone):
            return None
        good = len(self.entry.good)
        return Comparison.of(self.entry, tuple(scores[:good]), tuple(scores[good:]))


@dataclass(frozen=True)
class _Piece:
    """A candidate's content on its way; last: of its entry."""

    entry: Entry
    content: Sequence | Clip | SpiritLMError
    last: bool


@dataclass(frozen=True)
class PairTask:
    """`evaluate pairs`, `wuggy` and `blimp`: (clips → units →) sequences → likelihoods → which is likelier.

    tokenizer: needed where there are clips. batch_seconds, workers: see `SpeechTokenizer.encode_clips`.
    """

    scorer: Scorer
    tokenizer: SpeechTokenizer | None = None
    batch_seconds: float | None = None
    workers: int = 2

    @classmethod
    def load(
        cls,
        model: str | None = "nano",
        *,
        sound: bool = False,
        expressive: bool = True,
        device: str = "auto",
        dtype: str | None = None,
        batch_seconds: float | None = None,
        workers: int = 2,
    ) -> "PairTask":
        """sound: whether there will be clips. Raises CheckpointError."""
        tokenizer = SpeechTokenizer.load(model, expressive=expressive, device=device) if sound else None
        lm = LanguageModel.load(model, expressive=expressive, device=device, dtype=dtype)
        return cls(lm, tokenizer, batch_seconds, workers)

    def score_each(self, entries: Iterable[Entry]) -> Iterator[Scored]:
        """The entries in order; bad ones at the start come before anything is computed.

        Raises ValueError for a clip where there is no tokenizer.
        """
        entries = iter(entries)
        for entry in entries:
            if not isinstance(entry, BadPair):
                entries = chain([entry], entries)
                break
            yield Scored(entry, ())
        pieces = _pieces(entries, sound=self.tokenizer is not None)
        scores: list[Score | SpiritLMError] = []
        for piece, score in self._scores(pieces):
            scores.append(score)
            if piece.last:
                yield Scored(piece.entry, tuple(scores) if piece.entry.candidates else ())
                scores = []

    def _scores(self, pieces: Iterator[_Piece]) -> Iterator[tuple[_Piece, Score | SpiritLMError]]:
        if self.tokenizer is None:
            yield from _scored(self.scorer, pieces)
            return
        with closing(_heard(pieces, self.tokenizer, self.batch_seconds, self.workers)) as heard:
            # A scorer may take its items in a thread, and a thread that is in the midst of the networks' work when
            # the program ends takes it down: so what it is given has been heard in this one.
            while some := list(islice(heard, _HEARD_AT_ONCE)):
                yield from _scored(self.scorer, some)


@dataclass(frozen=True)
class Accuracy:
    """The part of pairs in which the right side was the likelier, with its 95 % interval; fractions."""

    accuracy: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float], seed: int = 0, resamples: int = 1000) -> "Accuracy":
        """The mean of the items' values, and the percentile bootstrap over items (as `metrics.error_rate`).

        Raises ValueError where there are none.
        """
        distinct, counts = np.unique(np.fromiter(values, dtype=np.float64), return_counts=True)
        total = int(counts.sum())
        if not total:
            raise ValueError("an accuracy needs at least one pair")
        # items drawn with replacement matter only by how many have which value: far fewer numbers than items
        drawn = np.random.default_rng(seed).multinomial(total, counts / total, size=resamples)
        low, high = np.percentile(drawn @ distinct / total, [2.5, 97.5])
        return cls(float(counts @ distinct / total), float(low), float(high))


@dataclass(frozen=True)
class PublishedAccuracy:
    """A number from the paper, in percent, by mean log-likelihood: a yardstick, not a target."""

    what: str
    percent: float


@dataclass(frozen=True)
class PairRow:
    """The accuracy over the items of one group in a set; kind is "overall" for all of the set."""

    set: str | None
    kind: str
    name: str
    items: int
    pairs: int
    by_mean: Accuracy
    by_sum: Accuracy


@dataclass(frozen=True)
class PairReport:
    """A benchmark's result. skipped: pairs that couldn't be used."""

    task: str
    items: int
    pairs: int
    skipped: int
    rows: tuple[PairRow, ...]
    published: tuple[PublishedAccuracy, ...] = ()

    @classmethod
    def of(
        cls,
        task: str,
        comparisons: Iterable[Comparison],
        skipped: int = 0,
        published: tuple[PublishedAccuracy, ...] = (),
        seed: int = 0,
    ) -> "PairReport":
        """Averaged over the readings of an item, then over items, in all and for each group, set by set.

        Raises ManifestError where there are no comparisons.
        """
        sets: dict[str | None, list[Comparison]] = {}
        for comparison in comparisons:
            sets.setdefault(comparison.pair.set, []).append(comparison)
        if not sets:
            raise ManifestError(f"{task}: no pair was scored")
        rows: list[PairRow] = []
        for name, found in sets.items():
            rows.append(_row(name, Group("overall", "overall"), found, seed))
            members: dict[Group, list[Comparison]] = {}
            for comparison in found:
                for group in comparison.pair.groups:
                    members.setdefault(group, []).append(comparison)
            kinds = list(dict.fromkeys(group.kind for group in members))
            for group in sorted(
                members, key=lambda group: (kinds.index(group.kind), group.place, group.name)
            ):
                rows.append(_row(name, group, members[group], seed))
        overall = [row for row in rows if row.kind == "overall"]
        items, pairs = sum(row.items for row in overall), sum(row.pairs for row in overall)
        return cls(task, items, pairs, skipped, tuple(rows), published)

    def to_json(self) -> dict[str, Any]:
        """For `json.dumps`: accuracies are fractions, the published numbers percent as the paper prints them."""
        return asdict(self)

    def table(self) -> Table:
        """For `rich`: percent, with the 95 % interval."""
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        caption = "Likelier of two, a tie is half. 95 % bootstrap interval in brackets."
        if self.published:
            caption += " Published: the paper's numbers, by mean."
        table = Table(
            title=f"{self.task}: {self.items} items, {self.pairs} pairs{skipped}",
            caption=caption,
        )
        table.add_column("")
        table.add_column("items", justify="right", no_wrap=True)
        table.add_column("by mean %", justify="right", no_wrap=True)
        table.add_column("by sum %", justify="right", no_wrap=True)
        before = None
        for row in self.rows:
            if before and (before.set, before.kind) != (row.set, row.kind):
                table.add_section()
            before = row
            name = row.name if row.kind == "overall" else f"{row.kind}: {row.name}"
            name = f"{row.set} {name}" if row.set else name
            cells = (name, str(row.items), _percent(row.by_mean), _percent(row.by_sum))
            table.add_row(*(cell.replace("[", "\\[") for cell in cells))
            if row.kind == "overall":
                for number in self.published:
                    table.add_row(f"  published: {number.what}", "", f"{number.percent:.1f}", "", style="dim")
        return table


def read_pairs(path: Path | str) -> Iterator[Pair | BadPair]:
    """The pairs of a TSV, one after another, and the rows that can't be used.

    Its first line names the columns: good and bad, each a token line or plain text; and where they apply id (by
    default the line's number), type (a group), and given (a context; not handled yet: a row that has one is bad).
    Others are passed over. Raises ManifestError where the file can't be read, or lacks a column.
    """
    path = Path(path)
    rows = table_rows(path, ("good", "bad"), "\t")
    seen: set[str] = set()
    for number, row in rows:
        source = f"{path}: line {number}"
        name = number if isinstance(row, SpiritLMError) else row.cells.get("id") or number
        try:
            if isinstance(row, SpiritLMError):
                raise row
            if name in seen:
                raise ManifestError(f"{source}: id {name!r} was there before; each pair needs its own")
            seen.add(name)
            if row.cells.get("given"):
                raise ManifestError(
                    f"{source}: given: to score only what follows a context is not handled yet"
                )
            good, bad = (_side(path, number, row, side) for side in ("good", "bad"))
        except SpiritLMError as error:
            yield BadPair(name, source, error)
        else:
            groups = (Group("type", row.cells["type"]),) if row.cells.get("type") else ()
            yield Pair(name, source, (good,), (bad,), groups)


@dataclass(frozen=True)
class TableRow:
    """A row by its column's names. columns: at which character, from 1, each cell begins where none is quoted."""

    cells: dict[str, str]
    columns: dict[str, int]


def table_rows(
    path: Path, needed: Iterable[str], delimiter: str = ","
) -> Iterator[tuple[str, TableRow | ManifestError]]:
    """The rows of a CSV or (then nothing is quoted) TSV whose first line names the columns, each with its number.

    A row with too few or too many cells is given as its error. Raises ManifestError, with file and line, where the
    file can't be read or lacks a column that is needed.
    """
    number = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            if delimiter == "\t":
                reader = csv.reader(stream, delimiter=delimiter, quoting=csv.QUOTE_NONE, strict=True)
            else:
                reader = csv.reader(stream, delimiter=delimiter, strict=True)
            columns = next(reader, None)
            if columns is None:
                raise ManifestError(f"{path}: empty; its first line should name the columns")
            if lacking := [name for name in needed if name not in columns]:
                found = ", ".join(columns)[:100]
                raise ManifestError(
                    f"{path}: line 1: no column is named {' or '.join(lacking)}, only: {found}"
                )
            number = 1
            for cells in reader:
                number = reader.line_num
                if not cells:
                    continue
                if len(cells) != len(columns):
                    yield (
                        str(number),
                        ManifestError(
                            f"{path}: line {number}: {len(cells)} columns, but line 1 names {len(columns)}"
                        ),
                    )
                    continue
                starts = np.cumsum([1, *(len(cell) + 1 for cell in cells[:-1])]).tolist()
                yield (
                    str(number),
                    TableRow(dict(zip(columns, cells, strict=True)), dict(zip(columns, starts, strict=True))),
                )
    except UnicodeDecodeError:
        raise ManifestError(f"{path}: after line {number}: not UTF-8 text") from None
    except csv.Error as error:
        raise ManifestError(f"{path}: after line {number}: not {_kind(delimiter)} ({error})") from None
    except OSError as error:
        raise ManifestError(f"{path}: can't be read ({error.strerror or error})") from None


def _kind(delimiter: str) -> str:
    return "TSV" if delimiter == "\t" else "CSV"


def _side(path: Path, number: str, row: TableRow, side: str) -> Candidate:
    try:
        sequence = parse_sequence(row.cells[side], int(number), row.columns[side])
    except TokenError as error:
        raise TokenError(f"{path}: {error}") from None
    if not sequence.spans:
        raise ManifestError(f"{path}: line {number}: {side} is empty")
    return Candidate(side, f"{path}: line {number}: {side}", sequence)


def _pieces(entries: Iterable[Entry], sound: bool) -> Iterator[_Piece]:
    """The candidates of entries, one after another; an entry without any is one piece too, to keep its place."""
    for entry in entries:
        if not sound and any(isinstance(candidate.content, Clip) for candidate in entry.candidates):
            raise ValueError(f"{entry.id}: clips need a tokenizer")
        if isinstance(entry, BadPair):
            yield _Piece(entry, entry.error, last=True)
        for place, candidate in enumerate(entry.candidates, 1):
            yield _Piece(entry, candidate.content, last=place == len(entry.candidates))


def _heard(
    pieces: Iterable[_Piece], tokenizer: SpeechTokenizer, batch_seconds: float | None, workers: int
) -> Generator[_Piece, None, None]:
    """The pieces in order, clips as sequences of their units."""
    waiting: deque[_Piece] = deque()

    def clips() -> Iterator[Clip]:
        for piece in pieces:
            waiting.append(piece)
            if isinstance(piece.content, Clip):
                yield piece.content

    with closing(tokenizer.encode_clips(clips(), batch_seconds=batch_seconds, workers=workers)) as encoded:
        for clip, units in encoded:
            while (piece := waiting.popleft()).content is not clip:
                yield piece
            try:
                # at once: when the next clip is asked for, this one's units are lost
                sequence = Sequence.of([merge_streams(next(units))])
            except SpiritLMError as error:
                yield replace(piece, content=error)
            else:
                yield replace(piece, content=sequence)
    yield from waiting


def _scored(scorer: Scorer, pieces: Iterable[_Piece]) -> Iterator[tuple[_Piece, Score | SpiritLMError]]:
    """The pieces in order, each with its score, or why it has none."""
    for piece, score in scorer.score_each(pieces, _sequence):
        try:
            found = score()
            if math.isnan(found.log_likelihood):
                raise TokenError("the likelihood is not a number; try --dtype float32")
        except SpiritLMError as error:
            yield piece, error
        else:
            yield piece, found


def _sequence(piece: _Piece) -> Sequence:
    if isinstance(piece.content, SpiritLMError):
        raise piece.content
    assert isinstance(piece.content, Sequence)
    return piece.content


def _won(good: float, bad: float) -> float:
    return 0.5 if good == bad else float(good > bad)


def _row(name: str | None, group: Group, comparisons: list[Comparison], seed: int) -> PairRow:
    by_item: dict[tuple[str, str], list[Comparison]] = {}
    for comparison in comparisons:
        pair = comparison.pair
        # an item of its own must not meet one that is named as it is
        key = ("pair", pair.id) if pair.item is None else ("item", pair.item)
        by_item.setdefault(key, []).append(comparison)
    readings = by_item.values()
    return PairRow(
        name,
        group.kind,
        group.name,
        len(by_item),
        len(comparisons),
        by_mean=Accuracy.of((sum(c.by_mean for c in found) / len(found) for found in readings), seed),
        by_sum=Accuracy.of((sum(c.by_sum for c in found) / len(found) for found in readings), seed),
    )


def _percent(rate: Accuracy) -> str:
    return f"{100 * rate.accuracy:.1f} [{100 * rate.low:.1f}–{100 * rate.high:.1f}]"
