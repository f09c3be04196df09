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
from spiritlm_cli.files import write_bytes, write_text
from spiritlm_cli.language.transformers_llama import LlamaForCausalLM, new_network
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.nn.device import find_device
from spiritlm_cli.training.attention_loss import attention_loss, supervised_layers, target_mask
from spiritlm_cli.training.loop import run, update, warm_cosine
from spiritlm_cli.training.mixture import Source, sources
from spiritlm_cli.training.options import LanguageModelOptions
from spiritlm_cli.training.rows import REPLACED, Rows, RowStream, draw_rows
from spiritlm_cli.training.run_file import check_run
from spiritlm_cli.training.vocabulary import text_spans, train_vocabulary

# Weight of text that says what speech before it says: it is a small part of the tokens. The units of that speech have
# no weight, because predicting them needs no text.
TRANSCRIPT_WEIGHT = 4.0


def train(options: LanguageModelOptions) -> None:
    """Train and write the Hugging Face folder `spiritlm_model/spirit-lm-expressive-7b` under `options.output`."""
    folder = options.output / "spiritlm_model" / "spirit-lm-expressive-7b"
    check_run(options, "lm", folder / "model.safetensors")
    folder.mkdir(parents=True, exist_ok=True)
    drawn, texts = sources(options)
    vocabulary = _write_vocabulary(options, texts, folder / "tokenizer.model")
    torch.manual_seed(options.seed)
    device = find_device(options.device)
    network = new_language_model(options, vocabulary, device)
    optimizer = _new_optimizer(network)
    losses_of = LossFunction(network, drawn, vocabulary, options)

    def draw(number: int) -> Rows:
        rng = random.Random(f"{options.seed} {number}")
        return draw_rows(drawn, vocabulary, options.batch, options.context + 1, rng, replaced=REPLACED)

    rows_of = RowStream(draw, options.workers)

    def step(number: int) -> dict[str, float]:
        rows = rows_of(number).to(device)
        loss, shown = losses_of(rows, options.attention * (1 - number / options.steps))
        rate = warm_cosine(number, options.steps, options.learning_rate, min(200, options.steps // 5))
        update(optimizer, network, loss, rate)
        return shown

    def save() -> None:
        _write_network(network, folder)

    run(options, "lm", options.steps, {"network": network, "optimizer": optimizer}, step, save)


class LossFunction:
    """The loss of a batch, and what of it is shown."""

    def __init__(
        self,
        network: LlamaForCausalLM,
        drawn: list[Source],
        vocabulary: Vocabulary,
        options: LanguageModelOptions,
    ) -> None:
        device = next(network.parameters()).device
        self._network = network
        self._layers = supervised_layers(options.layers)
        self._bf16 = options.bf16
        self._transcript = torch.tensor([source.transcript for source in drawn], device=device)
        self._spoken = torch.tensor([source.spoken for source in drawn], device=device)
        is_unit = torch.zeros(network.config.vocab_size, dtype=torch.bool)
        is_unit[[*vocabulary.unit_ids.values(), *vocabulary.marker_ids.values()]] = True
        self._is_unit = is_unit.to(device)
        forward: Callable[[Tensor, bool], tuple[Tensor, tuple[Tensor, ...]]] = self._forward
        self._call = torch.compile(forward) if options.compile else forward

    def _forward(self, inputs: Tensor, attend: bool) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(rows, length) ids to logits (rows, length, vocabulary), and the supervised layers' attention."""
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=self._bf16):
            out = self._network(input_ids=inputs, output_attentions=attend)
        return out.logits.float(), tuple(out.attentions[i] for i in self._layers) if attend else ()

    def __call__(self, rows: Rows, attention: float) -> tuple[Tensor, dict[str, float]]:
        """attention: weight of the loss on attention. Returns the loss, and the means by name."""
        logits, attentions = self._call(rows.inputs[:, :-1], attention > 0)
        targets, source = rows.tokens[:, 1:].flatten(), rows.sources[:, 1:].flatten()
        losses = F.cross_entropy(logits.flatten(0, 1), targets, reduction="none")
        units = self._is_unit[targets]
        transcript, spoken = self._transcript[source], self._spoken[source]
        weights = torch.where(transcript, torch.where(units, 0.0, TRANSCRIPT_WEIGHT), 1.0)
        loss = (losses * weights).sum() / weights.sum().clamp(min=1)
        parts = {"text": ~units, "units": units, "transcript": ~units & transcript, "spoken": units & spoken}
        shown = {"loss": loss.item()}
        shown |= {name: losses[part].mean().item() for name, part in parts.items() if bool(part.any())}
        if attentions:
            mask = target_mask(rows.words, ~self._is_unit[rows.tokens])
            extra, inside = attention_loss(attentions, mask)
            loss = loss + attention * extra
            shown["attended"] = inside.item()
        return loss, shown


def _write_vocabulary(options: LanguageModelOptions, texts: list[str], path: Path) -> Vocabulary:
    """The vocabulary in `path`: that of `options.start`, of the run to resume, or a new one."""
    if options.start:
        write_bytes(path, (options.start.parent / "tokenizer.model").read_bytes())
    elif not (options.resume and path.is_file()):
        write_bytes(path, train_vocabulary(text_spans(texts, options.seed), options.vocabulary))
    return Vocabulary.load(path)


def new_language_model(
    options: LanguageModelOptions, vocabulary: Vocabulary, device: torch.device
) -> LlamaForCausalLM:
    network = new_network(
        vocab_size=-(-vocabulary.size // 64) * 64, hidden_size=options.dim, intermediate_size=options.ffn,
        num_hidden_layers=options.layers, num_attention_heads=options.heads, num_key_value_heads=options.heads,
        max_position_embeddings=2048, rope_theta=10000.0, rms_norm_eps=1e-5, tie_word_embeddings=False,
        bos_token_id=vocabulary.bos_id, eos_token_id=vocabulary.eos_id,
    )  # fmt: skip
    if options.start:
        load_into(network, read_tensors(options.start))
    if device.type == "cpu" or options.attention:
        # on a CPU plain attention is faster than the fused one at these lengths; and only it returns its weights
        network.set_attn_implementation("eager")
    network.to(device).train()
    return network


def _new_optimizer(network: LlamaForCausalLM) -> torch.optim.Optimizer:
    decayed = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": 0.1},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, betas=(0.9, 0.95))


def _write_network(network: LlamaForCausalLM, folder: Path) -> None:
    write_tensors(folder / "model.safetensors", {k: v.bfloat16() for k, v in network.state_dict().items()})
    # what differs from transformers' defaults is enough, and its version says nothing of the weights
    content = network.config.to_diff_dict() | {
        "architectures": ["LlamaForCausalLM"],
        "torch_dtype": "bfloat16",
    }
    content.pop("transformers_version", None)
    write_text(folder / "config.json", json.dumps(content, indent=2, sort_keys=True) + "\n")
