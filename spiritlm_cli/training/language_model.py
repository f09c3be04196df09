"""Train the language model on text, speech, both interleaved, and parallel pairs."""

import random
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.nn.device import find_device
from spiritlm_cli.training.attention_loss import attention_loss, supervised_layers, target_mask
from spiritlm_cli.training.language_model_options import LanguageModelOptions
from spiritlm_cli.training.loop import run, update, warm_cosine
from spiritlm_cli.training.mixture import Source, sources
from spiritlm_cli.training.rows import REPLACED, Rows, RowStream, draw_rows
from spiritlm_cli.training.run_file import check_run
from spiritlm_cli.training.starting_model import model_folder, starting_model

# Weight of the loss of transcript tokens, which are a small part of all tokens. The units of the transcribed speech
# have weight 0, because predicting them does not use the text.
TRANSCRIPT_WEIGHT = 4.0


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

    def draw(number: int) -> Rows:
        rng = random.Random(f"{options.seed} {number}")
        return draw_rows(mixture, vocabulary, options.batch, options.context + 1, rng, replaced=REPLACED)

    rows_of = RowStream(draw, options.workers)

    def step(number: int) -> dict[str, float]:
        rows = rows_of(number).to(device)
        loss, report = loss_function(rows, options.attention * (1 - number / options.steps))
        rate = warm_cosine(number, options.steps, options.learning_rate, min(200, options.steps // 5))
        update(optimizer, network, loss, rate)
        return report

    run(options, "lm", options.steps, {"network": network, "optimizer": optimizer}, step, model.save)


class LossFunction:
    """Computes the weighted loss of a batch, and the mean losses of its kinds of tokens."""

    def __init__(
        self,
        network: Any,
        mixture: list[Source],
        vocabulary: Vocabulary,
        options: LanguageModelOptions,
    ) -> None:
        device = next(network.parameters()).device
        self._network = network
        self._layers = supervised_layers(network.config.num_hidden_layers)
        self._bf16 = options.bf16
        self._transcript = torch.tensor([source.transcript for source in mixture], device=device)
        self._spoken = torch.tensor([source.spoken for source in mixture], device=device)
        is_unit = torch.zeros(network.config.vocab_size, dtype=torch.bool)
        is_unit[[*vocabulary.unit_ids.values(), *vocabulary.marker_ids.values()]] = True
        self._is_unit = is_unit.to(device)
        forward: Callable[[Tensor, bool], tuple[Tensor, tuple[Tensor, ...]]] = self._forward
        self._call = torch.compile(forward) if options.compile else forward

    def _forward(self, inputs: Tensor, attend: bool) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Compute logits, (rows, length, vocabulary), and with `attend` the attention of the supervised layers.

        inputs: (rows, length) ids.
        """
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=self._bf16):
            out = self._network(input_ids=inputs, output_attentions=attend)
        return out.logits.float(), tuple(out.attentions[i] for i in self._layers) if attend else ()

    def __call__(self, rows: Rows, attention: float) -> tuple[Tensor, dict[str, float]]:
        """Compute the loss of a batch. attention: weight of the loss on attention.

        Returns a scalar to minimize, and the values to report by name: mean losses of text, units, transcripts and
        spoken units, and the mean supervised attention (`attended`).
        """
        logits, attentions = self._call(rows.inputs[:, :-1], attention > 0)
        targets, source = rows.tokens[:, 1:].flatten(), rows.sources[:, 1:].flatten()
        losses = F.cross_entropy(logits.flatten(0, 1), targets, reduction="none")
        units = self._is_unit[targets]
        transcript, spoken = self._transcript[source], self._spoken[source]
        weights = torch.where(transcript, torch.where(units, 0.0, TRANSCRIPT_WEIGHT), 1.0)
        loss = (losses * weights).sum() / weights.sum().clamp(min=1)
        parts = {"text": ~units, "units": units, "transcript": ~units & transcript, "spoken": units & spoken}
        report = {"loss": loss.item()}
        report |= {name: losses[part].mean().item() for name, part in parts.items() if bool(part.any())}
        if attentions:
            mask = target_mask(rows.words, ~self._is_unit[rows.tokens])
            extra, inside = attention_loss(attentions, mask)
            loss = loss + attention * extra
            report["attended"] = inside.item()
        return loss, report


def _new_optimizer(network: nn.Module) -> torch.optim.Optimizer:
    """AdamW with weight decay for matrices only."""
    decayed = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": 0.1},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, betas=(0.9, 0.95))
