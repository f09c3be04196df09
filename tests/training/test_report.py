import pytest
import torch

from spiritlm_cli.training.report import WeightedMean, means

CPU = torch.device("cpu")


def weighted(total: float, weight: int) -> WeightedMean:
    return WeightedMean(torch.tensor(total), torch.tensor(weight))


def test_means_of_micro_batches_and_processes() -> None:
    reports = [
        {"loss": weighted(6.0, 2), "accuracy": 0.5},
        {"loss": weighted(1.0, 8), "accuracy": torch.tensor(0.75)},
    ]
    assert means(reports, lambda sums: sums, CPU) == {"loss": 0.7, "accuracy": 0.625}
    other = torch.tensor([[3.0, 10.0], [0.25, 2.0]], dtype=torch.float64)
    assert means(reports, lambda sums: sums + other, CPU) == {"loss": 0.5, "accuracy": 0.375}


def test_means_leave_out_what_has_no_weight() -> None:
    assert means([{"text": weighted(0.0, 0), "units": weighted(3.0, 1)}], lambda sums: sums, CPU) == {
        "units": 3.0
    }


def test_weighted_mean_is_a_number() -> None:
    assert float(weighted(3.0, 2)) == pytest.approx(1.5)


def test_weighted_mean_of_values_that_there_may_be_none_of() -> None:
    report = {"some": WeightedMean.of(torch.tensor([True, False])), "none": WeightedMean.of(torch.tensor([]))}
    assert means([report], lambda sums: sums, CPU) == {"some": 0.5}
