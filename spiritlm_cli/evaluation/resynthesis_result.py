"""The result of `resynthesis`, from the records of clips."""

from collections.abc import Iterator, Sequence
from typing import Any

from spiritlm_cli.evaluation.estimate import Estimate
from spiritlm_cli.evaluation.records import Record, RunDescription
from spiritlm_cli.evaluation.result import EvaluationResult, Metric, Published, ResultRow
from spiritlm_cli.evaluation.scored_text import METRICS as TEXT_METRICS
from spiritlm_cli.evaluation.scored_text import text_row
from spiritlm_cli.evaluation.unit_counts import (
    BITRATES,
    StreamCounts,
    bitrate_values,
    codebook_size,
    stream_kinds,
)

_QUALITY = {
    "overall": "DNSMOS overall",
    "speech": "DNSMOS speech",
    "background": "DNSMOS background",
    "p808": "DNSMOS P.808",
}
METRICS = (
    *TEXT_METRICS,
    Metric("gpe", "GPE"),
    Metric("vde", "VDE"),
    Metric("ffe", "FFE"),
    Metric("log_f0_correlation", "log F0 correlation", percent=False, digits=3),
    Metric("f0_correlation", "F0 correlation", percent=False, digits=3),
    *(Metric(f"dnsmos_{name}", title, percent=False, digits=2) for name, title in _QUALITY.items()),
    Metric("speaker_similarity", "speaker similarity", percent=False, digits=3),
    Metric("style_agreement", "style agreement"),
    Metric("style_accuracy", "style accuracy"),
    *BITRATES,
)

# Table 9 of the Spirit LM paper (arXiv 2402.05755v2): WER of wav2vec 2.0, FFE of pYAAPT, accuracy of emotions.
_PAPER = {
    "original": {
        "originals, Expresso read": {"wer": 14.76, "style_accuracy": 92.47},
        "originals, LibriSpeech dev-other": {"wer": 3.55},
        "originals, Fisher": {"wer": 30.26},
        "originals, Expresso improvised": {"style_accuracy": 75.69},
        "originals, EmoV": {"style_accuracy": 27.46},
    },
    "resynthesis": {
        "Base, Expresso read": {"wer": 22.90, "ffe": 41.0, "style_accuracy": 28.25},
        "Base, LibriSpeech dev-other": {"wer": 11.66, "bitrate": 225.0},
        "Base, Fisher": {"wer": 35.64},
        "Base, Expresso improvised": {"ffe": 43.0, "style_accuracy": 19.78},
        "Base, EmoV": {"ffe": 36.0, "style_accuracy": 13.29},
        "Expressive, Expresso read": {"wer": 22.35, "ffe": 16.0, "style_accuracy": 56.02},
        "Expressive, LibriSpeech dev-other": {"wer": 10.60, "bitrate": 307.0},
        "Expressive, Fisher": {"wer": 36.58},
        "Expressive, Expresso improvised": {"ffe": 17.0, "style_accuracy": 47.66},
        "Expressive, EmoV": {"ffe": 16.0, "style_accuracy": 20.52},
    },
}


def result(description: RunDescription, records: Sequence[Record]) -> EvaluationResult:
    """Compute the result of records of `ResynthesisMeter.measure`."""
    rows = [
        _row(name, description, [record for record in records if record["set"] == part])
        for part in dict.fromkeys(record["set"] for record in records)
        for name in ("original", "resynthesis")
    ]
    found = {metric for row in rows for metric in row.values}
    notes = tuple(_notes(description, records))
    return EvaluationResult(
        description,
        len(records),
        tuple(metric for metric in METRICS if metric.name in found),
        tuple(row for row in rows if row.values),
        notes,
        {"seconds": sum(record["seconds"] for record in records)},
    )


def _row(name: str, description: RunDescription, records: Sequence[Record]) -> ResultRow:
    """The row of the clips of one set."""
    librispeech = all(record["corpus"] == "LibriSpeech" for record in records)
    values: dict[str, Estimate] = {}
    if texts := [record["transcripts"][name] for record in records if "transcripts" in record]:
        values |= text_row(name, texts).values
    for key in _QUALITY:
        scores = [record["quality"][name][key] for record in records if "quality" in record]
        values |= _mean(f"dnsmos_{key}", scores)
    styles = [record["style"] for record in records if "style" in record]
    values |= _mean("style_accuracy", [one[name] == one["reference"] for one in styles if "reference" in one])
    if name == "resynthesis":
        values |= _f0_values([record["f0"] for record in records if "f0" in record])
        values |= _mean("speaker_similarity", [record.get("speaker_similarity") for record in records])
        values |= _mean("style_agreement", [one["original"] == one["resynthesis"] for one in styles])
        values |= _bitrates(description, records)
    published = tuple(
        Published(what, numbers)
        for what, numbers in _PAPER[name].items()
        if "LibriSpeech" in what or not librispeech
    )
    known = tuple(_known(published, values))
    return ResultRow(name, len(records), values, set=records[0]["set"], published=known)


def _known(published: Sequence[Published], values: dict[str, Estimate]) -> Iterator[Published]:
    """The published results of the metrics that were measured."""
    for one in published:
        if numbers := {name: number for name, number in one.values.items() if name in values}:
            yield Published(one.what, numbers)


def _f0_values(errors: Sequence[dict[str, Any]]) -> dict[str, Estimate]:
    """F0 errors over all frames, and the mean of the clips' correlations."""
    if not errors:
        return {}
    frames, voiced, gross, voicing = (
        [one[key] for one in errors] for key in ("frames", "voiced", "gross", "voicing")
    )
    wrong = [a + b for a, b in zip(gross, voicing, strict=True)]
    ratios = {"gpe": (gross, voiced), "vde": (voicing, frames), "ffe": (wrong, frames)}
    values = {name: Estimate.of_ratio(*both) for name, both in ratios.items() if sum(both[1])}
    return (
        values
        | _mean("log_f0_correlation", [one["log_correlation"] for one in errors])
        | _mean("f0_correlation", [one["hertz_correlation"] for one in errors])
    )


def _mean(name: str, values: Sequence[float | None]) -> dict[str, Estimate]:
    """The mean of the values that are known, by its name."""
    known = [float(value) for value in values if value is not None]
    return {name: Estimate.of_mean(known)} if known else {}


def _bitrates(description: RunDescription, records: Sequence[Record]) -> dict[str, Estimate]:
    with_units = [record for record in records if "units" in record]
    if not with_units:
        return {}
    kinds = stream_kinds(with_units)
    return bitrate_values(
        [StreamCounts.of(with_units, kind, codebook_size(description.facts, kind)) for kind in kinds]
    )


def _notes(description: RunDescription, records: Sequence[Record]) -> Iterator[str]:
    facts = description.facts
    if "recognizer" in facts and (without := _count_unknown(records, "transcripts")):
        yield f"WER and CER leave out {without} of {len(records)} clips, whose text is empty or missing."
    if errors := [record["f0"] for record in records if "f0" in record]:
        known = len(errors) - _count_unknown(errors, "log_correlation")
        clips = "the clips" if known == len(errors) else f"{known} clips, of which they are known"
        yield (
            f"F0 by {facts.get('F0')}. GPE, VDE and FFE are over the frames of all clips, the correlations are means "
            f"of {clips}. GPE and FFE compare Hz: in another voice than the clip's, they measure the voice."
        )
    if facts.get("voice") == "same" and (others := _count_unknown(records, "voice")):
        yield f"{others} clips are in the default voice, as the vocoder has none of their speaker's name."
    if "speakers of" in facts and (silent := _count_unknown(records, "speaker_similarity")):
        yield f"Speaker similarity leaves out {silent} clips in which, or in whose resynthesis, no voice was found."
    seconds = sum(record["seconds"] for record in records)
    out = sum(record["resynthesis_seconds"] for record in records)
    yield f"The resynthesis is {out / seconds:.3f} times as long as the originals."


def _count_unknown(records: Sequence[Record], name: str) -> int:
    return sum(record.get(name) is None for record in records)
