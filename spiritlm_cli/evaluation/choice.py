"""`choice`: multiple-choice questions in text or speech, answered by the likeliest choice, and the gap between both."""

from collections.abc import Sequence
from itertools import combinations

from spiritlm_cli.evaluation.choice_files import Question
from spiritlm_cli.evaluation.estimate import Estimate
from spiritlm_cli.evaluation.records import Record, RunDescription
from spiritlm_cli.evaluation.result import EvaluationResult, Metric, ResultRow
from spiritlm_cli.language.scoring import Score

_METRICS = (Metric("by_mean", "by mean"), Metric("by_byte", "by byte"), Metric("by_sum", "by sum"))
_NOTES = (
    "How often the right choice is the likeliest: by mean log-likelihood per token, by log-likelihood per "
    "UTF-8 byte of its text, and by sum. "
    "Of n equal ones, each counts 1/n.",
    "gap: the first accuracy minus the second, over the questions that have both forms.",
)

# Forms of a question from the easiest for a model of text to the hardest; a gap is between an earlier and a later one.
_DIRECTIONS = ("T→T", "S→T", "T→S", "S→S")


def credit(log_likelihoods: Sequence[float], answer: int) -> float:
    """Return 1 if the right choice is the likeliest, 1/n if n choices are equally so, and 0 otherwise."""
    best = max(log_likelihoods)
    return 1.0 / log_likelihoods.count(best) if log_likelihoods[answer] == best else 0.0


def choice_record(question: Question, scores: Sequence[Score]) -> Record:
    """Make the record of a question from the scores of its choices."""
    sums = [score.log_likelihood for score in scores]
    record: Record = {
        "name": question.name,
        "direction": question.direction,
        "group": question.group,
        "answer": question.answer,
        "choices": [{"log_likelihood": score.log_likelihood, "tokens": score.tokens} for score in scores],
        "by_mean": credit([score.mean for score in scores], question.answer),
        "by_sum": credit(sums, question.answer),
    }
    if question.bytes is not None:
        for choice, size in zip(record["choices"], question.bytes, strict=True):
            choice["bytes"] = size
        by_byte = [value / size for value, size in zip(sums, question.bytes, strict=True)]
        record["by_byte"] = credit(by_byte, question.answer)
    return record


def result(description: RunDescription, records: Sequence[Record]) -> EvaluationResult:
    """Average the questions of each direction, overall and by group, and the differences between directions.

    records: of `choice_record`, one at least. A gap is over the questions that both directions have, by their names;
    its interval is that of their differences.
    """
    directions: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda record: _rank(record["direction"])):
        directions.setdefault(record["direction"], []).append(record)
    rows = [row for direction, members in directions.items() for row in _rows(direction, members)]
    for first, second in combinations(directions, 2):
        rows += _gap(first, directions[first], second, directions[second])
    chance = sum(1 / len(record["choices"]) for record in records) / len(records)
    notes = (*_NOTES, f"Chance is {100 * chance:.1f} %.")
    return EvaluationResult(description, len(records), _METRICS, tuple(rows), notes)


def _rank(direction: str) -> int:
    return _DIRECTIONS.index(direction) if direction in _DIRECTIONS else len(_DIRECTIONS)


def _rows(direction: str, records: list[Record]) -> list[ResultRow]:
    groups: dict[str, list[Record]] = {}
    for record in records:
        if record["group"] is not None:
            groups.setdefault(record["group"], []).append(record)
    return [
        ResultRow("overall", len(records), _values(records), set=direction),
        *(
            ResultRow(name, len(members), _values(members), "group", direction)
            for name, members in sorted(groups.items())
        ),
    ]


def _values(records: Sequence[Record]) -> dict[str, Estimate]:
    return {
        metric.name: Estimate.of_mean(record[metric.name] for record in records)
        for metric in _METRICS
        if all(metric.name in record for record in records)
    }


def _gap(first: str, left: list[Record], second: str, right: list[Record]) -> list[ResultRow]:
    """The row of the differences between two directions; none if they have no question in common."""
    others = {record["name"]: record for record in right}
    pairs = [(record, others[record["name"]]) for record in left if record["name"] in others]
    values = {
        metric.name: Estimate.of_mean(one[metric.name] - other[metric.name] for one, other in pairs)
        for metric in _METRICS
        if pairs and all(metric.name in record for pair in pairs for record in pair)
    }
    return [ResultRow(f"{first} − {second}", len(pairs), values, set="gap")] if pairs else []
