import pytest
import torch

from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.evaluation.judges.classification import Classification


def test_of_exclusive_labels() -> None:
    result = Classification.of(torch.tensor([0.0, 2.0, 0.0]), ("a", "b", "c"), independent=False)
    assert result.label == "b"
    assert sum(result.probabilities.values()) == pytest.approx(1)
    assert result.probabilities["b"] == pytest.approx(0.78699, abs=1e-5)


def test_of_independent_labels() -> None:
    result = Classification.of(torch.tensor([0.0, 2.0]), ("toxic", "insult"), independent=True)
    assert result.probabilities == {"toxic": 0.5, "insult": pytest.approx(0.880797, abs=1e-6)}
    assert Classification.of(torch.tensor([0.0]), ("toxic",), independent=False).probabilities == {
        "toxic": 0.5
    }


def test_label_of_equals_is_the_first() -> None:
    assert Classification({"a": 0.1, "b": 0.4, "c": 0.4}).label == "b"


def test_of_refuses_nan() -> None:
    with pytest.raises(SpiritLMError, match="not a number"):
        Classification.of(torch.tensor([0.0, float("nan")]), ("a", "b"), independent=False)
