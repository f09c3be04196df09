"""Train the language model on text, speech, both interleaved, and parallel pairs."""

from typing import Any

import torch
from torch import nn

from spiritlm_cli.nn.device import find_device
from spiritlm_cli.training.lanes import LaneStream, RowFormat
from spiritlm_cli.training.language_model_loss import LossFunction
from spiritlm_cli.training.language_model_options import LanguageModelOptions
from spiritlm_cli.training.loop import run, update, warm_cosine
from spiritlm_cli.training.mixture import sources
from spiritlm_cli.training.run_file import check_run
from spiritlm_cli.training.starting_model import model_folder, starting_model


def train(options: LanguageModelOptions) -> None:
    """Train and write a Hugging Face folder: `options.output` with `options.base`, otherwise in it, in a checkpoint.

    Raises ManifestError if there is nothing to train on, CheckpointError for a run that can't be resumed.
    """
    check_run(options, "lm", model_folder(options) / "model.safetensors")
    mixture, texts = sources(options)
    device = find_device(options.device)
    model = starting_model(options, texts)
    vocabulary, network = model.vocabulary, model.network
    if device.type == "cpu" or options.attention:
        # plain attention is faster on a CPU at these lengths, and is the only one that returns attention weights
        network.set_attn_implementation("eager")
    network.to(device).train()
    optimizer = _new_optimizer(network)
    loss_function = LossFunction(network, mixture, vocabulary, options)

    form = RowFormat(mixture, vocabulary, options.context + 1)
    rows_of = LaneStream(form, options.seed, options.batch, range(options.batch), options.workers)

    def step(number: int) -> dict[str, float]:
        rows = next(rows_of).to(device)
        loss, report = loss_function(rows, options.attention * (1 - number / options.steps))
        rate = warm_cosine(number, options.steps, options.learning_rate, min(200, options.steps // 5))
        update(optimizer, network, loss, rate)
        return report

    parts = {"network": network, "optimizer": optimizer, "data": rows_of}
    run(options, "lm", options.steps, parts, step, model.save)


def _new_optimizer(network: nn.Module) -> torch.optim.Optimizer:
    """AdamW with weight decay for matrices only."""
    decayed = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": 0.1},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, betas=(0.9, 0.95))
