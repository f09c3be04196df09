"""Files of predictions in the form of STSP's release, and their comparison with the records of a manifest.

A line of predictions is `{"id": …, "pred": …}`, and may have `generation`, a text or the path of a WAV file.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.stsp_data import StspRecord, read_id
from spiritlm_cli.evaluation.stsp_directions import LabelName
from spiritlm_cli.manifests.row import parse_json_fields
from spiritlm_cli.text_files import numbered_lines


@dataclass(frozen=True)
class Prediction:
    """A predicted label. generation: what it was predicted of, None if that is not known."""

    id: str
    label: str
    generation: str | None = None


def read_predictions(path: Path) -> list[Prediction]:
    """Read a file of predictions. Raises ManifestError for a line that is none, and for an id that is there twice."""
    predictions: dict[str, Prediction] = {}
    for line_number, line in numbered_lines(path):
        source = f"{path}: line {line_number}"
        if isinstance(line, ManifestError):
            raise line
        if not line.strip():
            continue
        fields = parse_json_fields(line, source)
        name, label, generation = read_id(fields, source), fields.get("pred"), fields.get("generation")
        if not isinstance(label, str):
            raise ManifestError(f"{source}: pred is {label!a}, expected a label")
        if name in predictions:
            raise ManifestError(f"{source}: duplicate id {name}")
        predictions[name] = Prediction(name, label, generation if isinstance(generation, str) else None)
    return list(predictions.values())


def check_counts(references: Sequence[object], predictions: Sequence[Prediction], path: Path) -> None:
    """Raise ManifestError unless there is a prediction for each reference, by number. path: of the predictions."""
    if len(references) != len(predictions):
        raise ManifestError(
            f"{path}: has {len(predictions)} predictions, and the references are {len(references)}"
        )


def compare(reference: StspRecord, predictions: Mapping[str, Prediction], label: LabelName) -> dict[str, Any]:
    """Compare a reference with the prediction of its id: reference, pred (None without one) and whether it is right.

    Raises ManifestError if the reference has no such label.
    """
    prediction = predictions.get(reference.id)
    expected, found = reference.label(label), prediction.label if prediction else None
    return {
        "set": reference.set,
        "item": reference.id,
        "reference": expected,
        "pred": found,
        "correct": int(found == expected),
    }


def unknown_ids(references: Iterable[StspRecord], predictions: Iterable[Prediction]) -> list[str]:
    """The ids of predictions that no reference has."""
    known = {reference.id for reference in references}
    return [prediction.id for prediction in predictions if prediction.id not in known]
