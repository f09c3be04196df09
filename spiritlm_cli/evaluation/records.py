"""Items files: a description of the run, then one record for each item. Results are computed from nothing else."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from spiritlm_cli.config import from_mapping
from spiritlm_cli.errors import CheckpointError, ManifestError
from spiritlm_cli.text_files import numbered_lines

# What is known of one item: JSON values by name; `id` is one of them. One that could not be used has `error`.
Record = dict[str, Any]

_FORMAT = 1  # of items files


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

    def to_line(self) -> str:
        """The first line of an items file."""
        return json.dumps({"evaluation": self.evaluation, **asdict(self)}, ensure_ascii=False)

    @classmethod
    def of_line(cls, line: str, source: str) -> "RunDescription":
        """Read the first line of an items file. source: its name in errors. Raises ManifestError."""
        try:
            content = json.loads(line)
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
        return json.dumps(record, ensure_ascii=False, allow_nan=False)
    except ValueError:
        raise ManifestError("a result is not a finite number; try --dtype float32") from None


def parse_records(lines: Iterable[tuple[int, str | ManifestError]], source: str) -> Iterator[Record]:
    """Read the lines of an items file after the first. Raises ManifestError for one that is no record."""
    for line_number, line in lines:
        try:
            record = json.loads(line) if isinstance(line, str) else None
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

    runs: source, description and records of each items file. Raises ManifestError if a shard is missing or there twice.
    """
    groups: dict[str, list[tuple[str, RunDescription, list[Record]]]] = {}
    for index, run in enumerate(runs):
        shard = run[1].shard
        # A file of all items is a run of its own, even beside an equal one.
        key = replace(run[1], shard=[0, shard[1]]).to_line() if shard else f"file {index}"
        groups.setdefault(key, []).append(run)
    return [_joined(group) for group in groups.values()]


def _joined(group: list[tuple[str, RunDescription, list[Record]]]) -> tuple[RunDescription, list[Record]]:
    first = group[0][1]
    if first.shard is None:
        return first, group[0][2]
    parts: dict[int, list[Record]] = {}
    for source, description, records in group:
        assert description.shard is not None
        if description.shard[0] in parts:
            raise ManifestError(
                f"{source}: part {description.shard[0]} of {description.shard[1]} is there twice"
            )
        parts[description.shard[0]] = records
    if missing := sorted(set(range(first.shard[1])) - set(parts)):
        names = ", ".join(f"{part}/{first.shard[1]}" for part in missing)
        raise ManifestError(f"{first.task}: the result of part {names} is missing")
    return replace(first, shard=None), [record for part in sorted(parts) for record in parts[part]]
