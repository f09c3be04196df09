"""Loss of the language model: cross-entropy of the tokens that a batch trains on, and supervised attention."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from spiritlm_cli.console import notify
from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.training.attention_loss import attention_loss, supervised_layers, target_mask
from spiritlm_cli.training.language_model_options import LanguageModelOptions, is_flash
from spiritlm_cli.training.mixture import Source
from spiritlm_cli.training.packing import Packing, find_packing, forward_arguments
from spiritlm_cli.training.report import WeightedMean
from spiritlm_cli.training.rows import Rows

# Weight of the loss of transcript tokens, which are a small part of all tokens. The units of the transcribed speech
# have weight 0, because predicting them does not use the text.
TRANSCRIPT_WEIGHT = 4.0


class LossFunction:
    """Computes the weighted loss of a batch, and the mean losses of its kinds of tokens."""

    def __init__(
        self,
        network: Any,
        mixture: list[Source],
        vocabulary: Vocabulary,
        options: LanguageModelOptions,
    ) -> None:
        """network: as `Loop.prepare` returns it, or not wrapped.

        Raises SpiritLMError if flash attention is not correct for its packed rows.
        """
        device = next(network.parameters()).device
        self._wrapped = network
        network = self._network = getattr(network, "module", network)
        self._layers = supervised_layers(network.config.num_hidden_layers)
        self._bf16 = options.bf16
        self._balanced = options.loss == "balanced"
        self._transcript = torch.tensor([source.transcript for source in mixture], device=device)
        self._spoken = torch.tensor([source.spoken for source in mixture], device=device)
        is_unit = torch.zeros(network.config.vocab_size, dtype=torch.bool)
        is_unit[[*vocabulary.unit_ids.values(), *vocabulary.marker_ids.values()]] = True
        self._is_unit = is_unit.to(device)
        self._packing = find_packing(network)
        if self._packing is Packing.NONE and is_flash(network.config._attn_implementation):
            raise SpiritLMError(
                f"--attn-implementation {options.attn_implementation} does not keep the sequences of a row apart "
                f"with a {network.config.model_type}: leave it out"
            )
        if self._packing is Packing.NONE:
            notify(f"{network.config.model_type}: the sequences of a row are not kept apart by this network")
        forward: Callable[[Tensor, Tensor, bool], tuple[Tensor, tuple[Tensor, ...]]] = self._forward
        self._call = torch.compile(forward) if options.compile else forward

    def _forward(self, inputs: Tensor, positions: Tensor, attend: bool) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Compute logits, (rows, length, vocabulary), and with `attend` the attention of the supervised layers.

        inputs: (rows, length) ids. positions: likewise, the position of each in its document.
        """
        arguments = forward_arguments(self._packing, positions, self._network)
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=self._bf16):
            out = self._wrapped(input_ids=inputs, output_attentions=attend, **arguments)
        return out.logits.float(), tuple(out.attentions[i] for i in self._layers) if attend else ()

    def weights(self, rows: Rows) -> Tensor:
        """Weights of the losses of a batch: (rows, length - 1)."""
        targets, source = rows.tokens[:, 1:], rows.sources[:, 1:]
        if not self._balanced:
            return rows.weights[:, 1:]
        in_transcript = torch.where(self._is_unit[targets], 0.0, TRANSCRIPT_WEIGHT)
        return rows.weights[:, 1:] * torch.where(self._transcript[source], in_transcript, 1.0)

    def __call__(
        self, rows: Rows, attention: float, weight: Tensor | None = None
    ) -> tuple[Tensor, dict[str, WeightedMean]]:
        """Compute the loss of a batch: the weighted sum of the losses of its tokens, divided by `weight`.

        attention: weight of the loss on attention. weight: the sum of the batch's weights if None. Where several
        batches make a step, it is their mean sum of weights, so that the mean of their losses is the weighted mean of
        all tokens, and has the same gradient.
        Returns a scalar to minimize, and the values to report by name: mean losses of text, units, transcripts and
        spoken units, and the mean supervised attention (`attended`).
        """
        logits, attentions = self._call(rows.inputs[:, :-1], rows.positions[:, :-1], attention > 0)
        targets, source = rows.tokens[:, 1:].flatten(), rows.sources[:, 1:].flatten()
        losses = F.cross_entropy(logits.flatten(0, 1), targets, reduction="none")
        units = self._is_unit[targets]
        transcript, spoken = self._transcript[source], self._spoken[source]
        trained = rows.weights[:, 1:].flatten()
        weights = self.weights(rows).flatten()
        total = (losses * weights).sum()
        loss = total / (weights.sum() if weight is None else weight).clamp(min=1e-6)
        text, units = (trained > 0) & ~units, (trained > 0) & units
        parts = {"text": text, "units": units, "transcript": text & transcript, "spoken": units & spoken}
        report = {"loss": WeightedMean(total, weights.sum())}
        report |= {name: WeightedMean((losses * part).sum(), part.sum()) for name, part in parts.items()}
        if attentions:
            mask = target_mask(rows.words, ~self._is_unit[rows.tokens])
            extra, inside = attention_loss(attentions, mask)
            loss = loss + attention * extra
            report["attended"] = WeightedMean(inside, torch.ones_like(inside))
        return loss, report
