"""`spiritlm evaluate TASK`: items to records, and records to a result."""

import json
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib import import_module
from math import ceil
from pathlib import Path
from typing import Any

from spiritlm_cli.batching import Outcome
from spiritlm_cli.console import notify, one_line
from spiritlm_cli.distributed.messages import Codec, to_json
from spiritlm_cli.errors import ManifestError, ResumeError, SpiritLMError
from spiritlm_cli.evaluation.records import (
    Record,
    RunDescription,
    check_complete,
    format_record,
    parse_records,
    read_items,
)
from spiritlm_cli.evaluation.reports import compute_result
from spiritlm_cli.evaluation.result import EvaluationResult
from spiritlm_cli.jobs.compute import Compute, Function
from spiritlm_cli.jobs.evaluations.evaluation import BadItem, Evaluation, Item
from spiritlm_cli.jobs.executor import computed
from spiritlm_cli.jobs.failures import reason_of
from spiritlm_cli.jobs.inputs import shard_range
from spiritlm_cli.jobs.journal import part_of
from spiritlm_cli.jobs.options.evaluate import EvaluateOptions
from spiritlm_cli.jobs.output import OutputLine, data_only
from spiritlm_cli.jobs.run import Run, Settled, Summary, settle

__all__ = ["EvaluationSummary", "run"]

# The class of each task's evaluation, and its module in jobs/evaluations.
_EVALUATIONS = {
    "abx": ("abx", "AbxEvaluation"),
    "asr": ("generation", "AsrEvaluation"),
    "blimp": ("pairs", "BlimpEvaluation"),
    "choice": ("choice", "ChoiceEvaluation"),
    "continuation": ("continuation", "ContinuationEvaluation"),
    "mmlu": ("mmlu", "MmluEvaluation"),
    "intent": ("intent", "IntentEvaluation"),
    "pairs": ("pairs", "PairsEvaluation"),
    "perplexity": ("perplexity", "PerplexityEvaluation"),
    "prosaudit": ("pairs", "ProsauditEvaluation"),
    "resynthesis": ("resynthesis", "ResynthesisEvaluation"),
    "salmon": ("pairs", "SalmonEvaluation"),
    "storycloze": ("pairs", "StoryclozeEvaluation"),
    "stsp": ("stsp", "StspEvaluation"),
    "topic-storycloze": ("pairs", "StoryclozeEvaluation"),
    "similarity": ("similarity", "SimilarityEvaluation"),
    "toxicity": ("toxicity", "ToxicityEvaluation"),
    "tts": ("generation", "TtsEvaluation"),
    "units": ("units", "UnitsEvaluation"),
    "wuggy": ("pairs", "WuggyEvaluation"),
}


@dataclass(frozen=True)
class EvaluationSummary(Summary):
    """What an evaluation did, and its result; None if there was nothing to compare."""

    result: EvaluationResult | None = None


def run(options: EvaluateOptions) -> EvaluationSummary:
    """Evaluate a model on a task.

    Raises OptionError, OSError if an input does not exist, SpiritLMError for what ends the run, and with
    `on_error="fail"` the error of the first item that can't be used.
    """
    options.check()
    settled = settle(f"evaluate {options.task}", options)
    options = settled.options
    _items_of.cache_clear()  # the files may have changed since an earlier run
    evaluation, items = _evaluation_of(options), _items_of(options)
    _check_ids(items)
    description = evaluation.describe([item.id for item in items])
    items = _in_shard(items, options, evaluation.group_size)
    if settled.complete:
        records = _finished_records(Path(str(options.output)), items, description)
    else:
        if options.on_error == "fail":
            _check_usable(items)
        records = _measure(settled, evaluation, items, description)
    evaluation.finish(records)
    failed = sum("error" in record for record in records)
    if not records:
        notify("this part has no items, so there is no result")
        return EvaluationSummary()
    return EvaluationSummary(len(records), failed, compute_result(description, records))


def _measure(
    settled: Settled[Any], evaluation: Evaluation[Any, Any], items: Sequence[Any], description: RunDescription
) -> list[Record]:
    """Measure the items that an interrupted run has not, and return the records of all."""
    options = settled.options
    records = _kept_records(settled, description)
    numbered = [_Numbered(index, item.id, str(item.source)) for index, item in enumerate(items)]
    with (
        Run(settled, what=evaluation.what, total=lambda: len(items), to_stdout=False) as output,
        data_only(),
    ):
        output.write_header(description.to_line())
        remaining = output.remaining(numbered)
        compute = _EvaluationCompute(options.with_absolute_paths() if options.ray else options)
        with closing(computed(compute, remaining, options.ray)) as outcomes:
            for item, outcome in outcomes:
                record = _record(output, item, outcome)
                records.append(record)
                output.write(item, [OutputLine(format_record(record), whole=True)])
                output.progress.advance(failed="error" in record)
    return records


def _record(output: Run, item: "_Numbered", outcome: Outcome[Record]) -> Record:
    """The record of an item. Raises the error of one that can't be used, unless such items are skipped."""
    try:
        record = {"id": item.id, **outcome.result()}
        format_record(record)
    except SpiritLMError as error:
        output.failures.add(item, error)
        return {"id": item.id, "error": str(error)}
    return record


def _kept_records(settled: Settled[Any], description: RunDescription) -> list[Record]:
    """The records of an interrupted run. Raises ResumeError if it was another run."""
    if settled.journal is None or not settled.journal.done.size:
        return []
    part = part_of(Path(str(settled.options.output)).resolve())
    done = settled.journal.done
    with part.open("rb") as file:
        lines = file.read(done.size).decode("utf-8", "replace").split("\n")[:-1]
    if len(lines) != done.inputs + 1:
        raise ResumeError(f"{part}: has not the lines that its journal says; remove both to begin again")
    _check_continued(RunDescription.of_line(lines[0], str(part)), description, part)
    return list(parse_records(enumerate(lines[1:], 2), str(part)))


def _finished_records(path: Path, items: Sequence[Any], description: RunDescription) -> list[Record]:
    """The records of a finished items file. Raises ResumeError if it is of another run."""
    found, records = read_items(path)
    _check_continued(found, description, path)
    check_complete(records, len(items), str(path))
    return records


def _check_continued(found: RunDescription, description: RunDescription, path: Path) -> None:
    before, now = json.loads(found.to_line()), json.loads(description.to_line())
    if different := list(_differences(before, now)):
        raise ResumeError(
            f"{path}: was begun with other {', '.join(different)}; resume with the same, or write to another file"
        )


def _differences(before: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """Yield the names of what differs, such as `ids` or `settings dtype`."""
    for name in sorted(now.keys() | before.keys()):
        first, second = before.get(name), now.get(name)
        if isinstance(first, dict) and isinstance(second, dict):
            yield from (f"{name} {inner}" for inner in _differences(first, second))
        elif first != second:
            yield name


def _evaluation_of(options: EvaluateOptions) -> Evaluation[Any, Any]:
    module, name = _EVALUATIONS[options.task]
    evaluation: Evaluation[Any, Any] = getattr(
        import_module(f"spiritlm_cli.jobs.evaluations.{module}"), name
    )(options)
    return evaluation


@lru_cache(maxsize=1)
def _items_of(options: EvaluateOptions) -> Sequence[Any]:
    """The items of all shards; read once in each process."""
    evaluation = _evaluation_of(options)
    items = evaluation.items()
    if not items:
        raise ManifestError(f"{options.task}: there are no items")
    return items if options.limit is None else items[: options.limit * evaluation.group_size]


def _in_shard(items: Sequence[Any], options: EvaluateOptions, group_size: int) -> Sequence[Any]:
    """The items of the part that `--shard` names, in whole groups."""
    if options.shard is None:
        return items
    part = shard_range(range(ceil(len(items) / group_size)), *options.shard)
    return items[part.start * group_size : part.stop * group_size]


def _check_usable(items: Iterable[Item | BadItem]) -> None:
    """Raise the error of the first item that can't be used, before models are loaded."""
    for item in items:
        if isinstance(item, BadItem):
            raise type(item.error)(reason_of(item, item.error)) from item.error


def _check_ids(items: Iterable[Item | BadItem]) -> None:
    """Raise ManifestError for two items of one id, which records could not tell apart. Bad ones may repeat it."""
    ids: set[str] = set()
    for item in items:
        if isinstance(item, BadItem):
            continue
        if item.id in ids:
            raise ManifestError(f"{item.source}: there are two items {one_line(item.id)!r}")
        ids.add(item.id)


@dataclass(frozen=True)
class _Numbered:
    """An item as it travels to a worker, which reads the items itself. index: in the shard."""

    index: int
    id: str
    source: str


def _encode_numbered(item: _Numbered) -> bytes:
    return to_json({"index": item.index, "id": item.id, "source": item.source})


def _decode_numbered(message: bytes) -> _Numbered:
    return _Numbered(**json.loads(message))


@dataclass(frozen=True)
class _EvaluationCompute(Compute[EvaluateOptions, _Numbered, Record]):
    """Items to their records."""

    item_codec = Codec(_encode_numbered, _decode_numbered)
    result_codec = Codec(to_json, json.loads)

    @contextmanager
    def load(self) -> Iterator[Function[_Numbered, Record]]:
        """Load the models of the task. Raises CheckpointError."""
        evaluation = _evaluation_of(self.options)
        items = _in_shard(_items_of(self.options), self.options, evaluation.group_size)
        with evaluation.load() as measure:
            yield partial(_measured, measure, items)


def _measured(
    measure: Any, items: Sequence[Any], numbered: Iterable[_Numbered]
) -> Iterator[tuple[_Numbered, Outcome[Record]]]:
    """Measure the good items, and yield the outcomes of all in order."""
    pending: deque[_Numbered] = deque()

    def good() -> Iterator[Any]:
        for number in numbered:
            pending.append(number)
            if not isinstance(items[number.index], BadItem):
                yield items[number.index]

    def bad() -> Iterator[tuple[_Numbered, Outcome[Record]]]:
        while pending and isinstance(item := items[pending[0].index], BadItem):
            yield pending.popleft(), Outcome.failure(item.error)

    for _, outcome in measure(good()):
        yield from bad()
        yield pending.popleft(), outcome
    yield from bad()
