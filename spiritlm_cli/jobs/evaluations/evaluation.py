"""What the tasks of `spiritlm evaluate` have in common."""

import dataclasses
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar

from spiritlm_cli import __version__
from spiritlm_cli.batching import Outcome
from spiritlm_cli.checkpoints.checkpoint import Checkpoint, file_hash
from spiritlm_cli.checkpoints.lazy_tensors import weight_files
from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.evaluation.records import Record, RunDescription
from spiritlm_cli.jobs.options.evaluate import EvaluateOptions
from spiritlm_cli.options import settings, spec_of

Part = Literal["tokenizer", "language model", "vocoder"]


class Item(Protocol):
    """An item of a task. id: unique among the items; source: the file it is from, for errors."""

    @property
    def id(self) -> str: ...
    @property
    def source(self) -> Path | str: ...


@dataclass(frozen=True)
class BadItem:
    """An item that can't be used, and the reason."""

    id: str
    source: Path | str
    error: SpiritLMError


Options = TypeVar("Options", bound=EvaluateOptions)
ItemType = TypeVar("ItemType", bound=Item)
Measure = Callable[[Iterable[ItemType]], Iterable[tuple[ItemType, Outcome[Record]]]]


@dataclass(frozen=True)
class Evaluation(ABC, Generic[Options, ItemType]):
    """A task: how its items are read, and measured by models. `evaluation.reports` computes its result from records.

    what: the items, in the plural; task_size: maximum number of items that a worker of a cluster is given at a time.
    """

    options: Options

    what: ClassVar[str] = "items"
    task_size: ClassVar[int] = 64

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts of the model that are used."""
        return ()

    @property
    def group_size(self) -> int:
        """The number of consecutive items that `--limit` counts as one, and that are all in the same shard."""
        return 1

    @abstractmethod
    def items(self) -> Sequence[ItemType | BadItem]:
        """Read the items, without models. Raises ManifestError if there is no data, OSError for a missing file."""

    @abstractmethod
    def load(self) -> AbstractContextManager[Measure[ItemType]]:
        """Load the models, and release them at the end of the block.

        The function maps items to (item, outcome), in order: an item's record, without its id, or the error in its
        place. It may be called many times. A record must not depend on the other items.
        """

    def facts(self) -> dict[str, Any]:
        """What a result is printed with beside the model: `RunDescription.facts`."""
        return {}

    def finish(self, records: Sequence[Record]) -> None:
        """Write other outputs of the whole run, such as a submission. records: of all items, in order."""

    def describe(self, ids: Iterable[str]) -> RunDescription:
        """Describe the run. ids: of the items of all shards. Raises CheckpointError."""
        options, ids = self.options, list(ids)
        model: str | None = None
        units: str | None = None
        hashes: dict[str, str] = {}
        if self.parts:
            model, units = options.checkpoint.description, "expressive" if options.expressive else "base"
            hashes = {part: _hash(options.checkpoint, part, options.expressive) for part in self.parts}
        return RunDescription(
            options.task,
            __version__,
            model,
            hashes,
            units,
            _input_names(options),
            len(ids),
            sha256(json.dumps(ids).encode()).hexdigest()[:12],
            _settings(options),
            {**self.facts(), **({"limit": f"the first {options.limit}"} if options.limit else {})},
            list(options.shard) if options.shard else None,
        )


def _settings(options: EvaluateOptions) -> dict[str, Any]:
    """The settings that decide the result, without outputs; paths without the folders they are in."""
    outputs = {field.name for field in dataclasses.fields(options) if spec_of(field).writes}
    return {
        name: Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value
        for name, value in settings(options, inputs=False).items()
        if name not in outputs
    }


def _input_names(options: EvaluateOptions) -> list[str]:
    """The names of the files and folders that options name as inputs, without where they are."""
    paths = [path for _, path in options.read_paths("input")]
    return [str(path) if str(path) == "-" else Path(path).resolve().name for path in paths]


def _hash(checkpoint: Checkpoint, part: Part, expressive: bool) -> str:
    """The first 12 hex digits of the SHA-256 of a part's weights. Raises CheckpointError."""
    if part == "tokenizer":
        return checkpoint.fingerprint()
    if part == "vocoder":
        return file_hash(checkpoint.generator(expressive))[:12]
    folder = checkpoint.language_model(expressive)
    # A LoRA adapter has weights of another name.
    files = sorted(folder.glob("*.safetensors")) or weight_files(folder)[1]
    return file_hash(*files)[:12]
