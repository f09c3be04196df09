"""What the steps of a training report: means over the micro-batches and the processes of a step."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class WeightedMean:
    """A mean to report, which is taken over the micro-batches and processes of a step.

    total: weighted sum, weight: sum of the weights, both scalars.
    """

    total: Tensor
    weight: Tensor

    @classmethod
    def of(cls, values: Tensor) -> "WeightedMean":
        """The mean of values, any shape, which all have the weight 1; without weight if there are none."""
        return cls(values.sum(), torch.tensor(values.numel(), device=values.device))

    def __float__(self) -> float:
        """The mean; NaN without weight."""
        return float(self.total.detach() / self.weight)


# What a micro-batch reports by name. A number is a mean that has the same weight in each of them; as a scalar tensor it
# does not make the CPU wait for the GPU.
Report = Mapping[str, float | Tensor | WeightedMean]


def means(
    reports: Sequence[Report], add: Callable[[Tensor], Tensor], device: torch.device
) -> dict[str, float]:
    """Means over the micro-batches of all processes; those without weight are left out.

    reports: of the micro-batches of this process, with the same names in all processes. add: adds a tensor of each
    process. device: that of the tensors.
    """
    names = list(reports[0])
    rows = [torch.stack([_sum_and_weight(report[name], device) for name in names]) for report in reports]
    sums = add(torch.stack(rows).sum(0)).tolist()
    return {name: total / weight for name, (total, weight) in zip(names, sums, strict=True) if weight}


def _sum_and_weight(value: float | Tensor | WeightedMean, device: torch.device) -> Tensor:
    """(2,): the sum and the weight of a reported mean; float64, where the device has it."""
    dtype = torch.float32 if device.type == "mps" else torch.float64
    if isinstance(value, WeightedMean):
        return torch.stack([value.total.detach().to(dtype), value.weight.to(dtype)])
    if isinstance(value, Tensor):
        return torch.stack([value.detach().to(dtype), torch.ones((), dtype=dtype, device=device)])
    return torch.tensor([value, 1.0], dtype=dtype, device=device)
