"""The result of the tasks asr and tts: error rates of each set."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from spiritlm_cli.evaluation.prompting import prompting_counts, prompting_notes
from spiritlm_cli.evaluation.records import Record, RunDescription
from spiritlm_cli.evaluation.result import EvaluationResult, Published
from spiritlm_cli.evaluation.scored_text import METRICS, text_row

PUBLISHED_SHOTS = 10


def spoken_result(
    description: RunDescription,
    records: Sequence[Record],
    name: str,
    published: Mapping[str, tuple[Published, ...]],
) -> EvaluationResult:
    """Compute the error rates of each set of LibriSpeech, or of all records if they are of none.

    name: of the rows. published: by set; a set without published results is shown with those of all sets.
    """
    sets = list(dict.fromkeys(record["set"] for record in records))
    everything = tuple(one for results in published.values() for one in results)
    rows = []
    for part in sets:
        members = [record for record in records if record["set"] == part]
        rows.append(replace(text_row(name, members, published.get(part, everything)), set=part))
    seconds = sum(record.get("seconds", 0.0) for record in records)
    return EvaluationResult(
        description,
        len(records),
        METRICS,
        tuple(rows),
        notes=prompting_notes(records, PUBLISHED_SHOTS),
        counts={**({"seconds": seconds} if seconds else {}), **prompting_counts(records)},
    )
