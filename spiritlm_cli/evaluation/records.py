"""Items files: a description of the run, then one record for each item. Results are computed from nothing else."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

from spiritlm_cli.config import from_mapping
from spiritlm_cli.errors import CheckpointError, ManifestError
from spiritlm_cli.text_files import numbered_lines

# What is known of one item: JSON values by name; `id` is one of them. One that could not be used has `error`.
Record = dict[str, Any]

_FORMAT = 1  # of items files
_MAX_SHARDS = 1_000_000


@dataclass(frozen=True)
class RunDescription:
    """What must be known of a run to repeat it; the first line of its items file.

    task: such as "wuggy"; spiritlm: version of this package; model: its name; parts: of the model, each with the first
    12 hex digits of the SHA-256 of its weights; units: base or expressive, None if the task has no units; data: names
    of the files and folders with the items, without where they are; items: number of items in all shards; ids: the
    first 12 hex digits of the SHA-256 of their ids; settings: the other options that decide the result; facts: what
    else a result is printed with, by name, such as `"marker": "given"`; shard: [i, n], the part of the items that the
    file has.
    """

    task: str
    spiritlm: str
    model: str | None = None
    parts: dict[str, str] = field(default_factory=dict)
    units: str | None = None
    data: list[str] = field(default_factory=list)
    items: int = 0
    ids: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    shard: list[int] | None = None
    evaluation: int = _FORMAT

    def __post_init__(self) -> None:
        """Raise ValueError for a shard that there can't be."""
        if self.shard is None:
            return
        if len(self.shard) != 2 or not 0 <= self.shard[0] < self.shard[1] <= _MAX_SHARDS:
            raise ValueError(f"shard is {str(self.shard)[:40]}, not a part and the number of parts")

    def to_line(self) -> str:
        """The first line of an items file."""
        return _to_line({"evaluation": self.evaluation, **asdict(self)})

    @classmethod
    def of_line(cls, line: str, source: str) -> "RunDescription":
        """Read the first line of an items file. source: its name in errors. Raises ManifestError."""
        try:
            content = _from_line(line)
            if not isinstance(content, dict) or content.get("evaluation") != _FORMAT:
                raise ManifestError("it begins with no description of an evaluation")
            return from_mapping(cls, content, Path(source))
        except (ValueError, RecursionError, ManifestError, CheckpointError) as error:
            raise ManifestError(
                f"{source}: not an items file of spiritlm evaluate ({error}); --items writes one"
            ) from None

    def sentence(self) -> str:
        """What a table says of the run, such as `nano (language model 0123…), base units; sLM21; marker given`."""
        parts = ", ".join(f"{part} {digits}" for part, digits in self.parts.items())
        model = f"{self.model} ({parts})" if parts else self.model
        begin = [", ".join(filter(None, (model, self.units and f"{self.units} units"))), ", ".join(self.data)]
        facts = [f"{name} {value}" for name, value in self.facts.items()]
        shard = [f"part {self.shard[0]} of {self.shard[1]}"] if self.shard else []
        return "; ".join(filter(None, (*begin, *facts, *shard, f"spiritlm {self.spiritlm}")))


def format_record(record: Mapping[str, Any]) -> str:
    """The line of a record. Raises ManifestError for a number that is not finite, which JSON can't hold."""
    try:
        return _to_line(record)
    except ValueError:
        raise ManifestError("a result is not a finite number; try --dtype float32") from None


def _to_line(content: Mapping[str, Any]) -> str:
    """Return one line of JSON. Raises ValueError for a number that is not finite."""
    line = json.dumps(content, ensure_ascii=False, allow_nan=False)
    try:
        line.encode()
    except UnicodeEncodeError:  # the name of a file that is not UTF-8
        return json.dumps(content)
    return line


def _from_line(line: str) -> Any:
    """Return what is in a line of JSON. Raises ValueError, also for a number that is not finite."""
    return json.loads(line, parse_constant=_refuse, parse_float=_finite)


def _finite(number: str) -> float:
    value = float(number)
    return value if math.isfinite(value) else _refuse(number)


def _refuse(number: str) -> NoReturn:
    raise ValueError(f"{number} is not a finite number")


def parse_records(lines: Iterable[tuple[int, str | ManifestError]], source: str) -> Iterator[Record]:
    """Read the lines of an items file after the first. Raises ManifestError for one that is no record."""
    for line_number, line in lines:
        try:
            record = _from_line(line) if isinstance(line, str) else None
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict) or not isinstance(record.get("id"), str):
            raise ManifestError(f"{source}: line {line_number}: not a record of an item")
        yield record


def read_items(path: Path | str) -> tuple[RunDescription, list[Record]]:
    """Read an items file. Raises ManifestError."""
    lines = numbered_lines(path)
    _, first = next(iter(lines), (1, ""))
    description = RunDescription.of_line(first if isinstance(first, str) else "", str(path))
    return description, list(parse_records(lines, str(path)))


def pool_shards(
    runs: Sequence[tuple[str, RunDescription, list[Record]]],
) -> list[tuple[RunDescription, list[Record]]]:
    """Join the shards of each run, in the order of their first one; other runs are left as they are.

    runs: source, description and records of each items file. Raises ManifestError if a shard is missing or there twice,
    and if a run has not as many records as items.
    """
    groups: dict[str, list[tuple[str, RunDescription, list[Record]]]] = {}
    for index, run in enumerate(runs):
        shard = run[1].shard
        # A file of all items is a run of its own, even beside an equal one.
        key = replace(run[1], shard=[0, shard[1]]).to_line() if shard else f"file {index}"
        groups.setdefault(key, []).append(run)
    return [_joined(group) for group in groups.values()]


def _joined(group: list[tuple[str, RunDescription, list[Record]]]) -> tuple[RunDescription, list[Record]]:
    source, first, records = group[0]
    if first.shard is None:
        check_complete(records, first.items, source)
        return first, records
    parts: dict[int, list[Record]] = {}
    for source, description, records in group:
        assert description.shard is not None
        if description.shard[0] in parts:
            raise ManifestError(
                f"{source}: part {description.shard[0]} of {description.shard[1]} is there twice"
            )
        parts[description.shard[0]] = records
    if missing := sorted(set(range(first.shard[1])) - set(parts)):
        names = ", ".join(f"{part}/{first.shard[1]}" for part in missing[:8]) + ", …" * (len(missing) > 8)
        raise ManifestError(
            f"{first.task}: the result of part {names} is missing, or was computed with other data, settings or model"
        )
    records = [record for part in sorted(parts) for record in parts[part]]
    check_complete(records, first.items, f"{source} and the other parts")
    return replace(first, shard=None), records


def check_complete(records: Sequence[Record], items: int, source: str) -> None:
    """Raise ManifestError if there are not as many records as items."""
    if len(records) != items:
        raise ManifestError(
            f"{source}: {len(records)} records of {items} items: the run is not finished, or the file was changed"
        )
