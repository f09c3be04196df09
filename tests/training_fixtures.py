"""Options of small training runs, and interruption, that tests of training share."""

import itertools
import multiprocessing
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState
from torch.optim.optimizer import register_optimizer_step_post_hook

from spiritlm_cli.checkpoints.tensors import read_tensors
from spiritlm_cli.training.language_model_options import LanguageModelOptions
from spiritlm_cli.training.options import (
    HubertOptions,
    PitchOptions,
    QuantizerOptions,
    StyleOptions,
)
from spiritlm_cli.training.vocoder_options import VocoderOptions

# Length of the corpus's clips.
SECONDS = 2


def hubert_options(corpus: Path, output: Path, **changes: Any) -> HubertOptions:
    options: dict[str, Any] = dict(
        manifest=corpus / "clips.jsonl", labels=corpus / "labels.txt", output=output,
        tensorboard=False, conv=16, dim=32, layers=2,
        steps=3, batch=2, seconds=1.0, bf16=False,
    )  # fmt: skip
    return HubertOptions(**(options | changes))


def quantizer_options(corpus: Path, output: Path, **changes: Any) -> QuantizerOptions:
    options: dict[str, Any] = dict(
        manifest=corpus / "clips.jsonl", labels=corpus / "labels.txt", test=corpus / "test.jsonl", output=output,
        tensorboard=False, layer=2, steps=4, batch=2,
    )  # fmt: skip
    return QuantizerOptions(**(options | changes))


def pitch_options(corpus: Path, output: Path, **changes: Any) -> PitchOptions:
    options: dict[str, Any] = dict(
        manifest=corpus / "clips.jsonl", output=output, tensorboard=False, steps=2, batch=2, seconds=0.64
    )
    return PitchOptions(**(options | changes))


def style_options(corpus: Path, output: Path, **changes: Any) -> StyleOptions:
    options: dict[str, Any] = dict(
        manifest=corpus / "clips.jsonl", output=output,
        tensorboard=False, styles=3, conv=16, dim=32, layers=1, steps=2, batch=2
    )  # fmt: skip
    return StyleOptions(**(options | changes))


def vocoder_options(corpus: Path, output: Path, **changes: Any) -> VocoderOptions:
    options: dict[str, Any] = dict(
        manifest=corpus / "clips.jsonl", units=corpus / "units.jsonl", output=output,
        tensorboard=False, channels=32, embedding=8,
        steps=2, adversarial_from=1, batch=2,
    )  # fmt: skip
    return VocoderOptions(**(options | changes))


def language_model_options(corpus: Path, output: Path, **changes: Any) -> LanguageModelOptions:
    options: dict[str, Any] = dict(
        manifest=corpus / "clips.jsonl", units=corpus / "units.jsonl", text=(corpus / "labels.txt",), output=output,
        tensorboard=False,
        vocabulary=300, dim=32, layers=1, heads=2, ffn=48, context=64, steps=2, batch=2,
    )  # fmt: skip
    return LanguageModelOptions(**(options | changes))


@contextmanager
def interrupted(steps: int) -> Iterator[None]:
    """Raise KeyboardInterrupt in the optimizer step after `steps` steps, and check that it ends the training."""
    count = itertools.count(1)

    def interrupt(*_: object) -> None:
        if next(count) > steps:
            raise KeyboardInterrupt

    hook = register_optimizer_step_post_hook(interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            yield
    finally:
        hook.remove()


def in_two_processes(function: Callable[[], None], output: Path) -> list[str]:
    """Call a function in two processes that know each other, as `torchrun --nproc-per-node 2` starts them.

    output: folder for files. Returns what each process wrote to stderr.
    """
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    shared = {
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    errors = [output / f"stderr-{rank}.txt" for rank in range(2)]

    def call(rank: int) -> None:
        os.environ |= shared | {"RANK": str(rank), "LOCAL_RANK": str(rank), "OMP_NUM_THREADS": "1"}
        with errors[rank].open("w") as stream:
            sys.stderr = stream
            AcceleratorState._reset_state(reset_partial_state=True)
            function()

    # everything is imported already
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=call, args=(rank,)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    messages = [path.read_text() for path in errors]
    assert [process.exitcode for process in processes] == [0, 0], messages
    return messages


def assert_same_weights(one: Path, other: Path, tolerance: float = 0.0) -> None:
    """Assert that two weight files have the same tensors. tolerance: largest absolute difference."""
    expected, actual = read_tensors(one).tensors, read_tensors(other).tensors
    assert expected.keys() == actual.keys()
    for name, tensor in expected.items():
        difference = (tensor.double() - actual[name].double()).abs()
        assert torch.equal(tensor, actual[name]) if not tolerance else difference.max() <= tolerance, name
