"""Weights, gradients and the state of the optimizer, split among processes (FSDP; Zhao et al. 2023)."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.distributed import ReduceOp, all_reduce
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor

from spiritlm_cli.training.stateful import Optimizer


def shard(network: Any, device: torch.device, processes: int, bf16: bool) -> None:
    """Split the parameters of a network of transformers, layer by layer, and move this process's part to its device.

    Its optimizer must be made afterwards. bf16: compute with weights in bfloat16; gradients are added in float32.
    """
    mesh = init_device_mesh(device.type, (processes,))
    policy = MixedPrecisionPolicy(
        param_dtype=torch.bfloat16 if bf16 else None, reduce_dtype=torch.float32 if bf16 else None
    )
    layers = set(network._no_split_modules or ())
    for module in list(network.modules()):
        if type(module).__name__ in layers:
            fully_shard(module, mesh=mesh, mp_policy=policy)
    fully_shard(network, mesh=mesh, mp_policy=policy)
    network.to(device)


@contextmanager
def independent_calls(network: nn.Module, device: torch.device) -> Iterator[None]:
    """Let each process call a sharded causal language model as often as it needs in the block.

    A call takes all processes. One that has left the block therefore computes a single token with each call of another.
    """

    def is_called(here: bool) -> bool:
        flag = torch.tensor(int(here), device=device)
        all_reduce(flag, ReduceOp.MAX)
        return bool(flag)

    def announce(*_: Any) -> None:
        is_called(True)

    hook = network.register_forward_pre_hook(announce, prepend=True)
    try:
        yield
    finally:
        hook.remove()
    token = torch.zeros(1, 1, dtype=torch.int64, device=device)
    with torch.no_grad():
        while is_called(False):
            network(input_ids=token)


def whole_weights(network: nn.Module) -> dict[str, Tensor]:
    """Gather the weights of a sharded network in the first process; others get nothing. All processes must call it.

    Frozen weights are left out. Tied weights are one tensor.
    """
    options = StateDictOptions(full_state_dict=True, cpu_offload=True, ignore_frozen_params=True)
    weights = cast(dict[str, Tensor], get_model_state_dict(network, options=options))
    first: dict[int, str] = {}
    for name, parameter in network.named_parameters(remove_duplicate=False):
        if name in weights:
            weights[name] = weights[first.setdefault(id(parameter), name)]
    return weights


class ShardedNetwork:
    """State of the part of a sharded network that this process has, without frozen weights."""

    def __init__(self, network: nn.Module) -> None:
        self._network = network

    def state_dict(self) -> dict[str, Any]:
        """The parts of tensors by name; they are not copied."""
        # FSDP frees what a call without a backward pass has gathered; it has a hook for that in `state_dict`
        state = self._network.state_dict()
        parameters = self._network.named_parameters(remove_duplicate=False)
        frozen = {name for name, parameter in parameters if not parameter.requires_grad}
        return {name: _local(tensor) for name, tensor in state.items() if name not in frozen}

    @torch.no_grad()
    def load_state_dict(self, state_dict: Mapping[str, Tensor]) -> None:
        """Load the part of a process with the same index of the same number of processes."""
        for name, part in self.state_dict().items():
            if part.shape != state_dict[name].shape:
                raise ValueError(f"{name} has another shape")
            part.copy_(state_dict[name])


class ShardedOptimizer:
    """State of an optimizer of a sharded network, of the parameters that this process has."""

    def __init__(self, optimizer: Optimizer) -> None:
        self._optimizer = optimizer

    def state_dict(self) -> dict[str, Any]:
        content = self._optimizer.state_dict()
        states = {
            index: {name: _local(value) for name, value in values.items()}
            for index, values in content["state"].items()
        }
        return {"state": states, "param_groups": content["param_groups"]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load the part of a process with the same index of the same number of processes."""
        parameters = [p for group in self._optimizer.param_groups for p in group["params"]]
        states = {
            index: {name: _like(value, parameters[index]) for name, value in values.items()}
            for index, values in state_dict["state"].items()
        }
        self._optimizer.load_state_dict({"state": states, "param_groups": state_dict["param_groups"]})


def _local(value: Any) -> Any:
    return value.to_local() if isinstance(value, DTensor) else value


def _like(value: Any, parameter: Tensor) -> Any:
    """A saved part of a tensor as a tensor that is split as `parameter` is; scalars stay as they are."""
    if not isinstance(parameter, DTensor) or not isinstance(value, Tensor) or value.ndim == 0:
        return value
    return DTensor.from_local(
        value.to(parameter.device),
        parameter.device_mesh,
        parameter.placements,
        shape=parameter.shape,
        stride=parameter.stride(),
    )
