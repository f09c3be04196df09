"""Training loop that all parts share: steps in one process or several, learning rate, saved states and resume."""

import math
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

from spiritlm_cli.checkpoints.pickles import read_pickle, write_pickle
from spiritlm_cli.console import set_quiet
from spiritlm_cli.errors import CheckpointError, SpiritLMError
from spiritlm_cli.files import atomic_path
from spiritlm_cli.nn.device import find_device
from spiritlm_cli.third_party import needs_extra
from spiritlm_cli.training.batch_amount import batch_amount
from spiritlm_cli.training.metrics import Metrics, Value, remove_metrics
from spiritlm_cli.training.options import LoopOptions
from spiritlm_cli.training.progress import Progress
from spiritlm_cli.training.report import Report, means
from spiritlm_cli.training.run_file import record_run
from spiritlm_cli.training.sharding import shard
from spiritlm_cli.training.stateful import Optimizer, Stateful

T = TypeVar("T")

# Processes wait while the first one aligns clips, by default for 10 minutes at most.
_LONGEST_WAIT = timedelta(days=1)


class Loop:
    """Training of one part, by one process or by several that `torchrun` or `accelerate launch` started.

    A step has `options.accumulate` micro-batches in each process. A process computes them one after the other; its
    gradient is their mean, and the gradient of the step is the mean over the processes.
    """

    def __init__(self, options: LoopOptions, name: str, steps: int) -> None:
        """name: of the trained part. steps: length of the training.

        All processes except the first become quiet. Raises MissingPackageError without accelerate.
        """
        with needs_extra("accelerate", extra="train", purpose="training"):
            from accelerate import Accelerator, InitProcessGroupKwargs
        device = find_device(options.device)
        waiting = [InitProcessGroupKwargs(timeout=_LONGEST_WAIT)]
        self._accelerator: Any = Accelerator(
            cpu=device.type == "cpu", device_placement=False, mixed_precision="no", kwargs_handlers=waiting
        )
        self._options, self._name, self._steps = options, name, steps
        self.processes: int = self._accelerator.num_processes
        self.device: torch.device = self._accelerator.device if self.processes > 1 else device
        self.micro_batch = 0
        self.is_sharded = False
        # of the optimizer steps of the present step: one, or one of each optimizer
        self._gradient_norms: list[Tensor] = []
        self._learning_rate = 0.0
        if not self.is_main:
            set_quiet()

    @property
    def is_main(self) -> bool:
        """Whether this is the first process, the one that writes files and shows progress."""
        return bool(self._accelerator.is_main_process)

    @property
    def process(self) -> int:
        """Index of this process."""
        return int(self._accelerator.process_index)

    def main_first(self) -> AbstractContextManager[None]:
        """Run the block in the first process, then in the others, which find the files that it wrote."""
        context: AbstractContextManager[None] = self._accelerator.main_process_first()
        return context

    def rng(self, step: int) -> np.random.Generator:
        """Random numbers of the present micro-batch, by seed, step, micro-batch and process.

        In one process without accumulation they are those of `np.random.default_rng([seed, step])`.
        """
        part = self.micro_batch * self.processes + self.process
        return np.random.default_rng([self._options.seed, step, part])

    def prepare(self, network: Any, fsdp: bool = False) -> Any:
        """Move a network to the device, and average its gradients over the processes while they are computed.

        fsdp: split it among the processes; see `sharding.shard`. Returns the network to call, which may be another one.
        """
        if fsdp and self.processes > 1:
            shard(network, self.device, self.processes, self._options.bf16)
            self.is_sharded = True
            return network
        network.to(self.device)
        return self._accelerator.prepare_model(network) if self.processes > 1 else network

    def gather(self, tensor: Tensor) -> Tensor:
        """Concatenate a tensor of each process, of the same shape in all, along the first dimension."""
        gathered: Tensor = self._accelerator.gather(tensor)
        return gathered

    def gather_objects(self, value: T) -> list[T]:
        """The value of each process."""
        if self.processes == 1:
            return [value]
        values: list[Any] = [None] * self.processes
        torch.distributed.all_gather_object(values, value)
        return values

    def sum(self, tensor: Tensor) -> Tensor:
        """Add a tensor of each process."""
        total: Tensor = self._accelerator.reduce(tensor, "sum")
        return total

    def copy_from_main(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite tensors by those of the first process."""
        if self.processes > 1:
            for tensor in tensors:
                torch.distributed.broadcast(tensor, 0)

    def update(
        self,
        optimizer: Optimizer,
        model: nn.Module,
        loss: Tensor,
        learning_rate: float,
        clip: float = 1.0,
    ) -> None:
        """Add the gradient of a micro-batch's `loss`; after the last micro-batch of a step do one optimizer step.

        The norm of the model's gradient is clipped to `clip`. model: as `prepare` returns it, or a module whose
        gradients are averaged here.
        """
        is_first, is_last = self.micro_batch == 0, self.micro_batch + 1 == self._options.accumulate
        if is_first:
            optimizer.zero_grad(set_to_none=True)
        if isinstance(model, FSDPModule):
            model.set_requires_gradient_sync(is_last)
        averages = isinstance(model, DistributedDataParallel | FSDPModule)
        waiting = model if isinstance(model, DistributedDataParallel) and not is_last else None
        with waiting.no_sync() if waiting is not None else nullcontext():
            # not by accelerate, which divides by a number of its own environment variable
            torch.autograd.backward(loss / self._options.accumulate)
        if not is_last:
            return
        for group in optimizer.param_groups:
            group["lr"] = learning_rate
        if self.processes > 1 and not averages:
            self._average_gradients(model)
        norm = self._accelerator.clip_grad_norm_(model.parameters(), clip)
        self._gradient_norms.append(norm.full_tensor() if isinstance(norm, DTensor) else norm)
        self._learning_rate = learning_rate
        optimizer.step()

    def _average_gradients(self, model: nn.Module) -> None:
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        mean = self._accelerator.reduce(torch.cat([g.flatten() for g in gradients]), "mean")
        for gradient, part in zip(gradients, mean.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def run(
        self,
        parts: Mapping[str, Stateful],
        step: Callable[[int], Report],
        save: Callable[[], None],
        gather: Callable[[], None] = lambda: None,
        after: Callable[[int], Mapping[str, Value]] = lambda _: {},
    ) -> None:
        """Call `step` for each micro-batch of steps 0 to `steps` - 1, and save every `save_every` steps and at the end.

        parts: everything that training changes, by name; their states are saved in `OUTPUT/training/NAME.pt`, from
        which `options.resume` continues. `data` has the state of data that do not come from `rng`.
        step: computes a micro-batch of the step with this number, calls `update`, and returns losses by name, the same
        names in all processes. Its random numbers must depend only on those of `rng`, so that a resumed run gives the
        same weights as an uninterrupted one. save: writes the weights; only the first process calls it. gather: all
        processes call it before that. after: called after each step, with their number; returns more values to write.
        Raises CheckpointError if there is no state to resume or if it belongs to another run, and SpiritLMError if a
        loss or a gradient is not finite.
        """
        options, steps = self._options, self._steps
        state = options.output / "training" / f"{self._name}.pt"
        first = self._load(state, parts) if options.resume else 0
        if not options.resume and self.is_main:
            record_run(options, self._name)
            remove_metrics(options, self._name)
        metrics = Metrics(options, self._name, first) if self.is_main else nullcontext()
        with metrics, Progress(self._name, first, steps) as progress:
            for number in range(first, steps):
                began = time.monotonic()
                losses = self._step(step, number)
                done = number + 1
                measured = self._measurements(done, time.monotonic() - began)
                more = after(done)
                if isinstance(metrics, Metrics):
                    metrics.write(done, {**losses, **measured, **more})
                progress.show(done, losses)
                if done % options.save_every == 0 or done == steps:
                    gather()
                    self._save(state, parts, done, save)
                    progress.saved = done
                    if isinstance(metrics, Metrics):
                        metrics.plot()
        if first >= steps:
            gather()
            if self.is_main:
                save()

    def _step(self, step: Callable[[int], Report], number: int) -> dict[str, float]:
        """Call `step` for each micro-batch. Returns the mean of each value that it reports. Raises SpiritLMError."""
        reports = []
        self._gradient_norms = []
        for micro_batch in range(self._options.accumulate):
            self.micro_batch = micro_batch
            reports.append(step(number))
        values = means(reports, self.sum, self.device)
        # a gradient that is not finite leaves such weights, which would be saved before the next loss shows it
        norms = [("the norm of the gradient", float(norm)) for norm in self._gradient_norms]
        for key, value in (*values.items(), *norms):
            if not math.isfinite(value):
                raise SpiritLMError(
                    f"{self._name}: {key} is {value} at step {number}; --resume with a lower --learning-rate"
                )
        return values

    def _measurements(self, done: int, seconds: float) -> dict[str, float]:
        """What is known of a step besides its losses. done: number of steps done. seconds: duration of the last one."""
        unit, amount = batch_amount(self._options)
        amount *= self._options.accumulate * self.processes
        values = {"learning_rate": self._learning_rate}
        if self._gradient_norms:
            values["gradient_norm"] = float(self._gradient_norms[-1])
        return values | ({unit: amount * done, f"{unit}_per_second": amount / seconds} if amount else {})

    def _save(self, path: Path, parts: Mapping[str, Stateful], done: int, save: Callable[[], None]) -> None:
        """Write the weights and the state after `done` steps. The other processes wait."""
        states = {name: value.state_dict() for name, value in parts.items()}
        if self.is_main:
            save()
        if self.is_main or self.is_sharded:
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(self._own(path)) as temporary:
                content = {"step": done, "processes": self.processes, "parts": states}
                write_pickle(temporary, content, self._own(path))
                if self.is_sharded:
                    # so that a signal leaves the files of one step
                    self._accelerator.wait_for_everyone()
        self._accelerator.wait_for_everyone()

    def _own(self, path: Path) -> Path:
        """The file of this process's state, if each process has its own, otherwise `path`."""
        return path.with_suffix(f".{self.process}.pt") if self.is_sharded and self.process else path

    def _load(self, path: Path, parts: Mapping[str, Stateful]) -> int:
        """Load the saved state into `parts` and return its number of steps.

        Raises CheckpointError if there is none, or if it does not fit `parts` or the number of processes.
        """
        path = self._own(path)
        if not path.is_file():
            raise CheckpointError(f"{path}: missing; nothing to resume: start with --overwrite")
        state = read_pickle(path)
        if not {"step", "parts"} <= state.keys() or state["parts"].keys() != parts.keys():
            raise CheckpointError(
                f"{path}: not the state of this training; start a new run, without --resume"
            )
        # batches depend on the number of processes, unless the data have a state that says otherwise
        before = state.get("processes", 1)
        if before != self.processes and (self.is_sharded or "data" not in parts):
            raise CheckpointError(
                f"{path}: of a training by {before} processes, not {self.processes}; start as many"
            )
        if len(set(self.gather_objects(state["step"]))) > 1:
            raise CheckpointError(f"{path}: its step is not that of the other processes; start a new run")
        _load_parts(path, parts, state["parts"])
        return int(state["step"])


def _load_parts(path: Path, parts: Mapping[str, Stateful], states: Mapping[str, Any]) -> None:
    """Load the states of a file into the parts. Raises CheckpointError if one does not fit."""
    for name, value in parts.items():
        try:
            value.load_state_dict(states[name])
        except (RuntimeError, ValueError, KeyError) as error:
            # sizes also depend on the data: the vocabulary, the number of labels
            raise CheckpointError(
                f"{path}: doesn't fit the {name} that these data and options make; start a new run, without --resume"
            ) from error
