"""Train the language model on text, speech, both interleaved, and parallel pairs."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from spiritlm_cli.checkpoints.tensors import load_into, read_tensors, write_tensors
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.files import write_bytes, write_text
from spiritlm_cli.language.sentencepiece_vocabulary import SentencePieceVocabulary
from spiritlm_cli.language.transformers_llama import LlamaForCausalLM, new_network
from spiritlm_cli.nn.device import find_device
from spiritlm_cli.training.attention_loss import attention_loss, supervised_layers, target_mask
from spiritlm_cli.training.loop import run, update, warm_cosine
from spiritlm_cli.training.mixture import Source, sources
from spiritlm_cli.training.options import LanguageModelOptions
from spiritlm_cli.training.rows import REPLACED, Rows, RowStream, draw_rows
from spiritlm_cli.training.run_file import check_run
from spiritlm_cli.training.vocabulary import text_spans, train_vocabulary

# Weight of the loss of transcript tokens, which are a small part of all tokens. The units of the transcribed speech
# have weight 0, because predicting them does not use the text.
TRANSCRIPT_WEIGHT = 4.0


def train(options: LanguageModelOptions) -> None:
    """Train and write the Hugging Face folder `spiritlm_model/spirit-lm-expressive-7b` under `options.output`.

    Raises ManifestError if there is nothing to train on, CheckpointError for a run that can't be resumed.
    """
    folder = options.output / "spiritlm_model" / "spirit-lm-expressive-7b"
    check_run(options, "lm", folder / "model.safetensors")
    folder.mkdir(parents=True, exist_ok=True)
    mixture, texts = sources(options)
    vocabulary = write_vocabulary(options, texts, folder / "tokenizer.model")
    torch.manual_seed(options.seed)
    device = find_device(options.device)
    network = new_language_model(options, vocabulary, device)
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

    def save() -> None:
        _write_network(network, folder)

    run(options, "lm", options.steps, {"network": network, "optimizer": optimizer}, step, save)


class LossFunction:
    """Computes the weighted loss of a batch, and the mean losses of its kinds of tokens."""

    def __init__(
        self,
        network: LlamaForCausalLM,
        mixture: list[Source],
        vocabulary: SentencePieceVocabulary,
        options: LanguageModelOptions,
    ) -> None:
        device = next(network.parameters()).device
        self._network = network
        self._layers = supervised_layers(options.layers)
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


def write_vocabulary(options: LanguageModelOptions, texts: list[str], path: Path) -> SentencePieceVocabulary:
    """Write the vocabulary of `options.start` or a new one to `path`, unless a resumed run has written it; load it.

    Raises CheckpointError if the folder of `options.start` has no sentencepiece vocabulary.
    """
    if options.start:
        source = options.start.parent / "tokenizer.model"
        if not source.exists():
            raise CheckpointError(f"{source}: missing; training starts from a sentencepiece vocabulary only")
        SentencePieceVocabulary.load(source)  # nothing else is copied
        write_bytes(path, source.read_bytes())
    elif not (options.resume and path.is_file()):
        write_bytes(path, train_vocabulary(text_spans(texts, options.seed), options.vocabulary))
    return SentencePieceVocabulary.load(path)


def new_language_model(
    options: LanguageModelOptions, vocabulary: SentencePieceVocabulary, device: torch.device
) -> LlamaForCausalLM:
    """Create the network, with the weights of `options.start` or random ones, in training mode on `device`.

    The vocabulary is padded to a multiple of 64 ids. Raises CheckpointError if the weights don't fit.
    """
    network = new_network(
        vocab_size=-(-vocabulary.size // 64) * 64, hidden_size=options.dim, intermediate_size=options.ffn,
        num_hidden_layers=options.layers, num_attention_heads=options.heads, num_key_value_heads=options.heads,
        max_position_embeddings=2048, rope_theta=10000.0, rms_norm_eps=1e-5, tie_word_embeddings=False,
        bos_token_id=vocabulary.bos_id, eos_token_id=vocabulary.eos_id,
    )  # fmt: skip
    if options.start:
        load_into(network, read_tensors(options.start))
    if device.type == "cpu" or options.attention:
        # plain attention is faster on a CPU at these lengths, and is the only one that returns attention weights
        network.set_attn_implementation("eager")
    network.to(device).train()
    return network


def _new_optimizer(network: LlamaForCausalLM) -> torch.optim.Optimizer:
    """AdamW with weight decay for matrices only."""
    decayed = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": 0.1},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, betas=(0.9, 0.95))


def _write_network(network: LlamaForCausalLM, folder: Path) -> None:
    write_tensors(folder / "model.safetensors", {k: v.bfloat16() for k, v in network.state_dict().items()})
    # only values that differ from the defaults of transformers; its version does not matter for the weights
    content = network.config.to_diff_dict() | {
        "architectures": ["LlamaForCausalLM"],
        "torch_dtype": "bfloat16",
    }
    content.pop("transformers_version", None)
    write_text(folder / "config.json", json.dumps(content, indent=2, sort_keys=True) + "\n")
