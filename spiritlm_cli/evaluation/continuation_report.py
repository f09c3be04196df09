"""The result of `continuation`: generative perplexity, self-BLEU, auto-BLEU and VERT of transcripts."""

from collections.abc import Callable, Iterator, Sequence
from math import exp

import numpy as np
from numpy.typing import NDArray

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.estimate import Estimate
from spiritlm_cli.evaluation.records import Record, RunDescription
from spiritlm_cli.evaluation.repetition import auto_bleu, auto_bleu_slamkit, self_bleu, split_words, vert
from spiritlm_cli.evaluation.result import EvaluationResult, Metric, ResultRow

METRICS = (
    Metric("ppl_gslm", "PPL GSLM", percent=False),
    Metric("ppl_slamkit", "PPL slamkit", percent=False),
    Metric("self_bleu", "self-BLEU-2"),
    Metric("auto_bleu", "auto-BLEU-2"),
    Metric("vert", "VERT"),
    Metric("auto_bleu_slamkit", "auto-BLEU slamkit"),
)
_NOTE = (
    "PPL: of transcripts, by the text language model. GSLM: mean over items of exp(nats per token); slamkit: exp(mean "
    "over items of nats per token). VERT: √(self-BLEU-2 · auto-BLEU-2)."
)

# Fields of a record: a text, the sum of its negative log-likelihoods, and its tokens.
_WHOLE = ("text", "nll", "text_tokens")
_CONTINUATION = ("continuation", "nll_continuation", "continuation_tokens")


def result(description: RunDescription, records: Sequence[Record]) -> EvaluationResult:
    """Compute the result of records of `Continuation.measure`.

    For the clips themselves and for each temperature: over the texts of prompt and continuation together, and over
    those of the continuation alone, which is scored given the prompt's. All are over the clips that have records of
    all temperatures. Raises ManifestError if no clip has.
    """
    kind = description.settings.get("tokens") or "regex"
    clips = {_clip(record) for record in records}
    complete = _complete_clips(records)
    records = [record for record in records if _clip(record) in complete]
    groups: dict[float | None, list[Record]] = {}
    for record in records:
        groups.setdefault(record["temperature"], []).append(record)
    order = sorted(groups, key=lambda one: (one is not None, one or 0.0))
    rows = [
        ResultRow(
            _name(temperature) + suffix, len(groups[temperature]), _values(groups[temperature], scope, kind)
        )
        for suffix, scope in (("", _WHOLE), (", continuation alone", _CONTINUATION))
        for temperature in order
    ]
    notes = [_NOTE, *_distribution(groups, order), *_crossings(rows, groups)]
    if partial := len(clips) - len(complete):
        notes.append(f"{partial} of {len(clips)} clips are left out, since some of their items were skipped.")
    if empty := sum(not record["continuation"] for record in records):
        notes.append(f"{empty} of {len(records)} continuations have an empty transcript.")
    if prompts := [record for record in records if "context" in record]:
        cut, context = sum(one["truncated"] > 0 for one in prompts), prompts[0]["context"]
        notes.append(
            f"{cut} of {len(prompts)} prompts were cut to fit into the model's context of {context} tokens."
        )
    if unfinished := sum(not record.get("finished", True) for record in records):
        notes.append(f"{unfinished} of {len(records)} continuations ended at the limit on tokens.")
    return EvaluationResult(
        description, len(records), METRICS, tuple(rows), tuple(notes), {"clips": len(complete)}
    )


def _clip(record: Record) -> str:
    """The id of a record's clip, which is before the temperature."""
    clip: str = record["id"].rpartition("@")[0]
    return clip


def _complete_clips(records: Sequence[Record]) -> set[str]:
    """The ids of the clips with records of all temperatures. Raises ManifestError if there are none."""
    clips: dict[float | None, set[str]] = {}
    for record in records:
        clips.setdefault(record["temperature"], set()).add(_clip(record))
    complete = set.intersection(*clips.values())
    if not complete:
        raise ManifestError("continuation: no clip has records of all temperatures")
    return complete


def _name(temperature: float | None) -> str:
    return "the clips themselves" if temperature is None else f"temperature {temperature:g}"


def _values(records: Sequence[Record], scope: tuple[str, str, str], kind: str) -> dict[str, Estimate]:
    """The metrics over the texts of one field.

    Texts without tokens have no perplexity, and one text alone has no self-BLEU, hence no VERT.
    """
    text, nll, tokens = scope
    values: dict[str, Estimate] = {}
    means = np.array([record[nll] / record[tokens] for record in records if record[tokens]])
    if len(means):
        values["ppl_gslm"] = Estimate.of_mean(np.exp(means))
        values["ppl_slamkit"] = Estimate.of(lambda drawn: exp(means[drawn].mean()), len(means))
    words = [record[text].split() for record in records]
    between, within = np.array(self_bleu(words)), np.array([auto_bleu(one) for one in words])
    values["auto_bleu"] = Estimate.of_mean(within)
    if len(records) > 1:
        values["self_bleu"] = Estimate.of_mean(between)
        values["vert"] = Estimate.of(_vert_of(between, within), len(records))
    values["auto_bleu_slamkit"] = Estimate.of_mean(
        auto_bleu_slamkit(split_words(record[text], "nltk" if kind == "nltk" else "regex"))
        for record in records
    )
    return values


def _vert_of(
    between: NDArray[np.float64], within: NDArray[np.float64]
) -> Callable[[NDArray[np.int64]], float]:
    return lambda drawn: vert(between[drawn], within[drawn])


def _distribution(groups: dict[float | None, list[Record]], order: Sequence[float | None]) -> Iterator[str]:
    """The median and the 10th and 90th percentile of the texts' perplexities."""
    for temperature in order:
        values = [exp(one["nll"] / one["text_tokens"]) for one in groups[temperature] if one["text_tokens"]]
        if values:
            low, median, high = np.percentile(values, [10, 50, 90])
            yield (
                f"PPL of {_name(temperature)}: median {median:.1f}, 10th percentile {low:.1f}, 90th {high:.1f}."
            )


def _crossings(rows: Sequence[ResultRow], groups: dict[float | None, list[Record]]) -> Iterator[str]:
    """PPL at the temperature where VERT is that of the clips, and VERT where PPL is, by linear interpolation."""
    temperatures = sorted(temperature for temperature in groups if temperature is not None)
    points = {row.name: row.values for row in rows}
    original = points.get(_name(None))
    if original is None or len(temperatures) < 2:
        return
    curve = [points[_name(temperature)] for temperature in temperatures]
    if not all({"ppl_gslm", "vert"} <= values.keys() for values in (original, *curve)):
        return
    perplexities, verts = ([values[name].value for values in curve] for name in ("ppl_gslm", "vert"))
    for title, at, of, target, scale in (
        ("PPL at the VERT of the clips", verts, perplexities, original["vert"].value, 1.0),
        ("VERT at the PPL of the clips", perplexities, verts, original["ppl_gslm"].value, 100.0),
    ):
        value = _interpolated(at, of, target)
        found = f"{scale * value:.1f}" if value is not None else "outside of the temperatures"
        yield f"{title}: {found}."


def _interpolated(at: Sequence[float], of: Sequence[float], target: float) -> float | None:
    """The value of `of` where the curve of `at` first crosses `target`; None if it does not."""
    for index in range(len(at) - 1):
        low, high = at[index], at[index + 1]
        if min(low, high) <= target <= max(low, high):
            share = 0.0 if low == high else (target - low) / (high - low)
            return of[index] + share * (of[index + 1] - of[index])
    return None
