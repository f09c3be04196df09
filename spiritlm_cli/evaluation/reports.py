"""The result of each task, computed from the records of its items."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation import (
    abx_result,
    asr,
    choice,
    continuation_report,
    intent,
    mmlu,
    pair_report,
    perplexity,
    resynthesis_result,
    similarity,
    stsp_report,
    toxicity,
    tts,
    units,
)
from spiritlm_cli.evaluation.records import Record, RunDescription
from spiritlm_cli.evaluation.result import EvaluationResult

_RESULTS: dict[str, Callable[[RunDescription, Sequence[Record]], EvaluationResult | None]] = {
    "abx": abx_result.result,
    "asr": asr.result,
    "blimp": pair_report.benchmark_result,
    "choice": choice.result,
    "continuation": continuation_report.result,
    "mmlu": mmlu.result,
    "intent": intent.result,
    "pairs": pair_report.pair_result,
    "perplexity": perplexity.result,
    "prosaudit": pair_report.benchmark_result,
    "resynthesis": resynthesis_result.result,
    "salmon": pair_report.salmon_result,
    "storycloze": pair_report.story_result,
    "stsp": stsp_report.result,
    "topic-storycloze": pair_report.story_result,
    "similarity": similarity.result,
    "toxicity": toxicity.result,
    "tts": tts.result,
    "units": units.result,
    "wuggy": pair_report.benchmark_result,
}


def compute_result(description: RunDescription, records: Sequence[Record]) -> EvaluationResult | None:
    """Compute the result of a run. None if there is nothing to compare, such as in a submission without answers.

    Raises ManifestError if there are no records of items that were used, or for a task of another version.
    """
    if description.task not in _RESULTS:
        raise ManifestError(f"{description.task}: this version has no such task")
    used = [record for record in records if "error" not in record]
    if not used:
        raise ManifestError(f"{description.task}: no item could be used")
    try:
        result = _RESULTS[description.task](description, used)
    except KeyError as error:
        raise ManifestError(f"{description.task}: a record lacks {error}") from None
    except (TypeError, AttributeError, IndexError) as error:
        raise ManifestError(f"{description.task}: a record has a value of another form ({error})") from None
    except (ValueError, ArithmeticError) as error:
        raise ManifestError(f"{description.task}: the records have no result ({error})") from None
    return result and replace(result, skipped=len(records) - len(used))
