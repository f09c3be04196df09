"""Measurements of the steps of a run: lines of JSON, a plot, event files of TensorBoard, and Weights & Biases."""

import json
import math
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

from spiritlm_cli.console import warn_once
from spiritlm_cli.errors import MissingPackageError
from spiritlm_cli.files import atomic_path
from spiritlm_cli.inspection.plots import check_matplotlib
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.options import settings
from spiritlm_cli.training.curves import Curves
from spiritlm_cli.training.options import LoopOptions

# Fewest steps that are plotted.
PLOTTED = 10
# What is measured after a step: numbers, and texts and sounds for TensorBoard.
Value = float | str | Waveform


def metrics_path(options: LoopOptions, name: str) -> Path:
    """The file with a line for each step, in JSON."""
    return options.output / "training" / f"{name}.metrics.jsonl"


def plot_path(options: LoopOptions, name: str) -> Path:
    """The plot of the measurements."""
    return options.output / "training" / f"{name}.png"


def samples_folder(options: LoopOptions, name: str) -> Path:
    """The folder of texts and sounds that a part in training makes at its checkpoints."""
    return options.output / "training" / "samples" / name


def remove_metrics(options: LoopOptions, name: str) -> None:
    """Remove the file, the plot, the samples and the event files of an earlier run."""
    shutil.rmtree(samples_folder(options, name), ignore_errors=True)
    for path in (metrics_path(options, name), plot_path(options, name)):
        path.unlink(missing_ok=True)
    for path in _events_folder(options, name).glob("events.out.tfevents.*"):
        path.unlink()


class Metrics:
    """Writes the measurements of steps, for use as a context manager."""

    def __init__(self, options: LoopOptions, name: str, first: int) -> None:
        """name: of the trained part. first: number of steps done; what was written of later ones is dropped.

        Raises MissingPackageError without wandb, if `options.wandb` is given.
        """
        path = metrics_path(options, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            _drop_lines_after(path, first)
        self._stack = ExitStack()
        self._file = self._stack.enter_context(path.open("a", encoding="utf-8"))
        self._curves, self._plot = Curves(path), plot_path(options, name)
        self._title = f"{name}, {options.output.absolute().name}"
        self._events = _open_events(_events_folder(options, name), first) if options.tensorboard else None
        if self._events:
            self._stack.callback(self._events.close)
        self._wandb = _start_wandb(options, name) if options.wandb else None
        if self._wandb:
            self._stack.callback(self._wandb.finish)

    def __enter__(self) -> "Metrics":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def write(self, step: int, values: Mapping[str, Value]) -> None:
        """Write the values of a step, by name. step: number of steps done. A number that is not finite becomes null.

        Texts and sounds are written to the event files only.
        """
        numbers = {key: value for key, value in values.items() if isinstance(value, int | float)}
        known = {key: value if math.isfinite(value) else None for key, value in numbers.items()}
        self._file.write(json.dumps({"step": step, **known}) + "\n")
        self._file.flush()
        if self._events:
            for key, value in values.items():
                _add_event(self._events, key, value, step)
        if self._wandb:
            self._wandb.log(numbers, step=step)

    def plot(self) -> None:
        """Draw the measurements so far, of `PLOTTED` steps or more. Without matplotlib, say once how to install it."""
        self._curves.update()
        if self._curves.last < PLOTTED:
            return
        try:
            check_matplotlib()
        except MissingPackageError as error:
            warn_once(f"{self._plot} is not drawn: {error}")
            return
        from spiritlm_cli.training.run_figure import plot_run

        plot_run(self._curves, self._title, self._plot)


def _drop_lines_after(path: Path, step: int) -> None:
    """Keep the lines up to a step. A line that was not written to its end is dropped too."""
    with path.open(encoding="utf-8", errors="replace") as lines, atomic_path(path) as temporary:
        temporary.write_text("".join(line for line in lines if _step_of(line) <= step), encoding="utf-8")


def _step_of(line: str) -> float:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return math.inf


def _events_folder(options: LoopOptions, name: str) -> Path:
    return options.output / "training" / "tensorboard" / name


def _open_events(folder: Path, first: int) -> Any:
    """A writer of TensorBoard's event files, which hides the events of later steps; None if it is not installed."""
    if find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=first + 1 if first else None)


def _add_event(events: Any, name: str, value: Value, step: int) -> None:
    """Write a value to TensorBoard's event files."""
    if isinstance(value, str):
        # indented, so that TensorBoard shows it as it is, and not as Markdown
        events.add_text(name, f"    {value}", step)
    elif isinstance(value, Waveform):
        events.add_audio(name, torch.from_numpy(value.samples).clamp(-1, 1), step, value.rate)
    else:
        events.add_scalar(name, value, step)


def _start_wandb(options: LoopOptions, name: str) -> Any:
    """Start a run of Weights & Biases."""
    try:
        import wandb
    except ImportError as error:
        raise MissingPackageError(
            f"wandb can't be imported ({error}); --wandb needs it; try: pip install wandb"
        ) from error
    folder = options.output / "training"
    title = f"{options.output.name} {name}"
    return wandb.init(project=options.wandb, name=title, dir=str(folder), config=settings(options))
