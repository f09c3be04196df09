import json
import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from training_fixtures import interrupted

from spiritlm_cli.errors import CheckpointError, MissingPackageError, SpiritLMError
from spiritlm_cli.signals import end_on_signals
from spiritlm_cli.training.loop import Loop
from spiritlm_cli.training.options import LoopOptions
from spiritlm_cli.training.report import WeightedMean
from spiritlm_cli.training.schedule import warm_cosine


def train(
    output: Path,
    steps: int,
    width: int = 3,
    loss_of: Callable[[int, torch.Tensor], torch.Tensor] = lambda _, loss: loss,
    **options: int,
) -> list[int]:
    """Train a linear layer into `weights.pt`. loss_of: changes a step's loss. Returns the numbers of its steps."""
    loop = Loop(LoopOptions(output=output, tensorboard=False, **options), "toy", steps)
    torch.manual_seed(0)
    model = nn.Linear(width, 1)
    optimizer = torch.optim.AdamW(model.parameters())
    numbers = []

    def step(number: int) -> dict[str, float]:
        numbers.append(number)
        x = torch.randn(8, width, generator=torch.Generator().manual_seed(number))
        loss = loss_of(number, model(x).square().mean())
        loop.update(optimizer, model, loss, warm_cosine(number, steps, 0.01, warm=2))
        return {"loss": loss.item()}

    def save() -> None:
        torch.save(model.state_dict(), output / "weights.pt")

    loop.run({"model": model, "optimizer": optimizer}, step, save)
    return numbers


def weights(output: Path) -> torch.Tensor:
    tensor: torch.Tensor = torch.load(output / "weights.pt", weights_only=True)["weight"]
    return tensor


def test_run_resumed_is_bit_identical(tmp_path: Path) -> None:
    assert train(tmp_path / "whole", 7) == list(range(7))
    with interrupted(5):
        train(tmp_path / "parts", 7, save_every=2)
    assert train(tmp_path / "parts", 7, save_every=2, resume=True) == [4, 5, 6]
    assert torch.equal(weights(tmp_path / "whole"), weights(tmp_path / "parts"))


def test_run_resumed_at_its_end_writes_the_weights_again(tmp_path: Path) -> None:
    train(tmp_path, 2)
    expected = weights(tmp_path)
    (tmp_path / "weights.pt").unlink()
    assert train(tmp_path, 2, resume=True) == []
    assert torch.equal(weights(tmp_path), expected)


def test_run_on_a_full_disk_keeps_the_state_before(tmp_path: Path) -> None:
    """The limit on the size of a file stands for the disk."""
    train(tmp_path, 2, width=9000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (90_000, hard))
    try:
        with pytest.raises(CheckpointError, match=r"toy\.pt: can't be written; is there space left"):
            train(tmp_path, 4, width=9000, resume=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert train(tmp_path, 4, width=9000, resume=True) == [2, 3]


def test_run_needs_a_state_to_resume(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"toy\.pt: missing; nothing to resume"):
        train(tmp_path, 2, resume=True)


def test_run_refuses_the_state_of_another_model(tmp_path: Path) -> None:
    train(tmp_path, 1)
    with pytest.raises(CheckpointError, match=r"toy\.pt: doesn't fit the model"):
        train(tmp_path, 2, width=4, resume=True)
    torch.save({"step": 1, "parts": {}}, tmp_path / "training" / "toy.pt")
    with pytest.raises(CheckpointError, match=r"toy\.pt: not the state of this training"):
        train(tmp_path, 2, resume=True)


def test_run_raises_for_a_loss_that_is_not_finite(tmp_path: Path) -> None:
    with pytest.raises(SpiritLMError, match=r"toy: loss is nan at step 3; .*lower --learning-rate"):
        train(tmp_path, 5, loss_of=lambda number, loss: loss * (float("nan") if number == 3 else 1))


def test_run_raises_for_a_gradient_that_is_not_finite_before_it_saves(tmp_path: Path) -> None:
    """The gradient of the square root is infinite at 0, where its value is 0."""

    def loss_of(number: int, loss: torch.Tensor) -> torch.Tensor:
        return loss + (loss * 0).sqrt() if number == 3 else loss

    with pytest.raises(SpiritLMError, match=r"toy: the norm of the gradient is nan at step 3"):
        train(tmp_path, 6, loss_of=loss_of, save_every=2)
    assert torch.load(tmp_path / "training" / "toy.pt", weights_only=True)["step"] == 2


def test_update_does_not_divide_by_the_environment_of_accelerate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(tmp_path / "one", 2)
    monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4")
    train(tmp_path / "other", 2)
    gradients = [
        [json.loads(line)["gradient_norm"] for line in path.read_text().splitlines()]
        for path in sorted(tmp_path.glob("*/training/toy.metrics.jsonl"))
    ]
    assert gradients[0] == gradients[1]


def test_update_clips_the_gradient_and_sets_the_learning_rate(tmp_path: Path) -> None:
    loop = Loop(LoopOptions(output=tmp_path), "toy", 1)
    model = nn.Linear(2, 1, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=99.0)
    before = model.weight.detach().clone()
    loss = (model.weight * torch.tensor([[30.0, 40.0]])).sum()
    loop.update(optimizer, model, loss, learning_rate=0.1, clip=5.0)
    # the gradient (30, 40) has the norm 50
    assert (before - model.weight).flatten().tolist() == pytest.approx([0.3, 0.4], abs=1e-5)


def test_accumulated_batches_have_the_gradient_and_the_report_of_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Batches of 2 and 4 rows, whose mean weight is 3, against one of 6."""
    rows, weights = torch.randn(6, 2, generator=torch.Generator().manual_seed(0)), []
    for cuts in ([0, 6], [0, 2, 6]):
        torch.manual_seed(0)
        model = nn.Linear(2, 1)
        optimizer = torch.optim.SGD(model.parameters())
        options = LoopOptions(output=tmp_path / str(len(cuts)), accumulate=len(cuts) - 1, tensorboard=False)
        loop = Loop(options, "toy", 3)

        def step(number: int) -> dict[str, WeightedMean]:
            x = rows[cuts[loop.micro_batch] : cuts[loop.micro_batch + 1]]  # noqa: B023
            total = model(x).square().sum()  # noqa: B023
            loop.update(optimizer, model, total / (6 / (len(cuts) - 1)), 0.1)  # noqa: B023
            return {"loss": WeightedMean(total, torch.tensor(len(x)))}

        loop.run({"model": model, "optimizer": optimizer}, step, lambda: None)
        weights.append(model.weight)
    torch.testing.assert_close(*weights)
    one, several = capsys.readouterr().err.splitlines()
    assert one == several


def test_loop_needs_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(MissingPackageError, match=r"accelerate .*; try: pip install 'spiritlm\[train\]'"):
        Loop(LoopOptions(output=tmp_path), "toy", 1)


def test_rng_is_another_in_each_micro_batch(tmp_path: Path) -> None:
    loop = Loop(LoopOptions(output=tmp_path, seed=7, accumulate=2), "toy", 1)
    first = loop.rng(5).random()
    assert first == np.random.default_rng([7, 5]).random()
    loop.micro_batch = 1
    assert loop.rng(5).random() != first


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (5, "toy: stopped after step 5; --resume continues after step 4"),
        (1, "toy: stopped after step 1; no state was saved yet"),
    ],
)
def test_a_signal_says_where_resume_continues(tmp_path: Path, steps: int, message: str) -> None:
    """In a fork, which has imported everything already."""
    errors = tmp_path / "stderr.txt"

    def step(number: int) -> dict[str, float]:
        if number == steps:
            os.kill(os.getpid(), signal.SIGINT)
        return {"loss": 1.0}

    def run() -> None:
        with errors.open("w") as file:
            os.dup2(file.fileno(), 2)
        sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
        end_on_signals()
        options = LoopOptions(output=tmp_path, save_every=2, tensorboard=False)
        Loop(options, "toy", 99).run({}, step, lambda: None)

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    process.join()
    assert (process.exitcode, errors.read_text()) == (130, f"spiritlm: {message}\n")
