"""Train the language model on text, speech, and both interleaved, drawn anew all the time."""

import json
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spiritlm_cli.alignment.pool import POCKETSPHINX, available_cpus
from spiritlm_cli.alignment.sources import WordTimes
from spiritlm_cli.checkpoints.tensors import load_into, read_tensors, write_tensors, write_text
from spiritlm_cli.errors import AlignmentError, ManifestError
from spiritlm_cli.interleaving.interleave import Utterance, sample_sequences
from spiritlm_cli.interleaving.spans import SpanOptions
from spiritlm_cli.interleaving.utterances import make_utterance
from spiritlm_cli.language.loading import new_network
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.manifests.manifest import read_manifest
from spiritlm_cli.nn.device import find_device
from spiritlm_cli.tokens.reader import BadLine, read_lines
from spiritlm_cli.tokens.sequence import Header, Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.tokens.units import Kind
from spiritlm_cli.training.data import read_units
from spiritlm_cli.training.loop import run, update, warm_cosine
from spiritlm_cli.training.options import LanguageModelOptions
from spiritlm_cli.training.pairs import Pairs
from spiritlm_cli.training.vocabulary import train_vocabulary

# How often a sequence is drawn from each kind. The paper has a third each of text, of speech, and of both; here these
# are about a third of the tokens together, and the others are parallel pairs, as in its "+ASR+TTS" ablation: a small
# model doesn't learn from little speech that the two correspond, unless they stand side by side.
SHARES = {
    "text": 0.15,
    "speech": 0.03,
    "interleaved": 0.07,
    "to text": 0.46,
    "to speech": 0.24,
    "examples": 0.05,
}
# How much text counts that says what speech before it says: it is a small part of the tokens. The units of that
# speech don't count, for what is learnt by heart needs no listening.
HEARD_WEIGHT = 4.0
# At most this share of the units that a row of the batch has are replaced by others, where they are read; what is
# to be predicted stays. A clip is then never heard twice alike.
MISHEARD = 0.2

Draw = Callable[[random.Random], Sequence]


@dataclass(frozen=True)
class Source:
    """What sequences are drawn from. share: how often, beside the others'; heard: their text is what speech
    before it says; read: their speech says the text before it."""

    share: float
    draw: Draw
    heard: bool = False
    read: bool = False


def read_utterances(manifest: Path, units: Path) -> list[tuple[str, Utterance]]:
    """The clips of a manifest that have units and text, with their speakers; words without times are aligned.

    A clip whose text doesn't fit its sound is named on stderr and left out.
    """
    known = read_units(units)
    utterances = []
    with WordTimes(aligner=POCKETSPHINX, workers=available_cpus()) as times:
        clips = [clip for clip in read_manifest(manifest) if clip.text and clip.id in known]
        clips = [clip for clip in clips if len(known[clip.id].hubert)]
        for clip, answer in [(clip, times.submit(clip)) for clip in clips]:
            try:
                utterance = make_utterance(clip.id, known[clip.id], answer.result())
            except AlignmentError as error:
                print(f"{clip.id}: left out: {error}", file=sys.stderr)
            else:
                utterances.append((clip.speaker or "", utterance))
    return utterances


def sources(options: LanguageModelOptions) -> tuple[list[Source], list[str]]:
    """What sequences are drawn from; and all the text there is."""
    found: list[Source] = []
    texts: list[str] = []
    if options.manifest and options.units:
        utterances = read_utterances(options.manifest, options.units)
        if not utterances:
            raise ManifestError(f"{options.manifest}: no clip has text, and units in {options.units}")
        texts += [u.text for _, u in utterances]
        spoken = [utterance for _, utterance in utterances]
        pairs = Pairs(utterances, options.words)
        found += [
            Source(SHARES["interleaved"], lambda rng: next(sample_sequences(spoken, SpanOptions(), rng))),
            Source(SHARES["speech"], _run_on(utterances)),
            Source(SHARES["to text"], pairs.to_text, heard=True),
            Source(SHARES["to speech"], pairs.to_speech, read=True),
            Source(SHARES["examples"], pairs.examples, heard=True),
        ]
    if options.text:
        documents = [line for line in options.text.read_text(encoding="utf-8").splitlines() if line.strip()]
        if not documents:
            raise ManifestError(f"{options.text}: there is no text")
        texts += documents
        found.append(Source(SHARES["text"], lambda rng: Sequence.of([TextSpan(rng.choice(documents))])))
    if options.lines:
        lines = _read_sequences(options.lines)
        if not lines:
            raise ManifestError(f"{options.lines}: there are no tokens")
        texts += [sequence.text for sequence in lines]
        found.append(Source(1.0, lambda rng: rng.choice(lines)))
    if not found:
        raise ManifestError("nothing to train on: give --text, --lines, or --manifest with --units")
    return found, texts


def _run_on(utterances: list[tuple[str, Utterance]]) -> Draw:
    """Speech alone: utterances of one speaker run on past the end of a training sequence, so that the model learns to
    go on after a sentence, and not to end with every one."""
    spoken: dict[str, list[SpeechSpan]] = {}
    for speaker, utterance in utterances:
        spoken.setdefault(speaker, []).append(merge_streams(utterance.units))
    speakers = [speaker for speaker, _ in utterances]

    def draw(rng: random.Random) -> Sequence:
        return Sequence.of(rng.choices(spoken[rng.choice(speakers)], k=rng.randint(4, 8)))

    return draw


def train(options: LanguageModelOptions) -> None:
    """Train and write the Hugging Face folder `spiritlm_model/spirit-lm-expressive-7b` under `options.out`."""
    folder = options.out / "spiritlm_model" / "spirit-lm-expressive-7b"
    folder.mkdir(parents=True, exist_ok=True)
    found, texts = sources(options)
    path = folder / "tokenizer.model"
    if options.start:
        path = options.start.parent / "tokenizer.model"
        (folder / path.name).write_bytes(path.read_bytes())
    elif not (options.resume and path.is_file()):
        path.write_bytes(train_vocabulary(_as_spans(texts, options.seed), options.vocabulary))
    vocabulary = Vocabulary.load(path)

    torch.manual_seed(options.seed)
    device = find_device(options.device)
    network = new_network(
        vocab_size=-(-vocabulary.size // 64) * 64, hidden_size=options.dim, intermediate_size=options.ffn,
        num_hidden_layers=options.layers, num_attention_heads=options.heads, num_key_value_heads=options.heads,
        max_position_embeddings=2048, rope_theta=10000.0, rms_norm_eps=1e-5, tie_word_embeddings=False,
        bos_token_id=vocabulary.start, eos_token_id=vocabulary.end,
    )  # fmt: skip
    if options.start:
        load_into(network, read_tensors(options.start))
    if device.type == "cpu":
        # at these lengths plain attention is quicker there than the fused one
        network.set_attn_implementation("eager")
    network.to(device).train()
    decayed = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": 0.1},
        {"params": others, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.95))
    heard = torch.tensor([source.heard for source in found], device=device)
    read = torch.tensor([source.read for source in found], device=device)

    def each_loss(given: Tensor, expected: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=options.bf16):
            logits = network(input_ids=given).logits
        return torch.nn.functional.cross_entropy(
            logits.float().flatten(0, 1), expected.flatten(), reduction="none"
        )

    losses_of = torch.compile(each_loss) if options.compile else each_loss

    def step(number: int) -> dict[str, float]:
        rng = random.Random(f"{options.seed} {number}")
        ids, of = (
            drawn.to(device) for drawn in _rows(found, vocabulary, options.batch, options.context + 1, rng)
        )
        losses = losses_of(_misheard(ids[:, :-1], vocabulary, rng), ids[:, 1:])
        text = ids[:, 1:].flatten() < vocabulary.markers["text"]
        source = of[:, 1:].flatten()
        weights = torch.where(heard[source], torch.where(text, HEARD_WEIGHT, 0.0), 1.0)
        loss = (losses * weights).sum() / weights.sum().clamp(min=1)
        rate = warm_cosine(number, options.steps, options.learning_rate, min(200, options.steps // 5))
        update(optimizer, network, loss, rate)
        parts = {"text": text, "units": ~text, "heard": text & heard[source], "read": ~text & read[source]}
        means = {name: losses[part].mean().item() for name, part in parts.items() if part.any()}
        return {"loss": loss.item(), **means}

    def save() -> None:
        write_tensors(
            folder / "model.safetensors", {k: v.bfloat16() for k, v in network.state_dict().items()}
        )
        # what differs from transformers' defaults is enough, and its version says nothing of the weights
        content = network.config.to_diff_dict() | {
            "architectures": ["LlamaForCausalLM"],
            "torch_dtype": "bfloat16",
        }
        content.pop("transformers_version", None)
        write_text(folder / "config.json", json.dumps(content, indent=2, sort_keys=True) + "\n")

    run(options, "lm", options.steps, {"network": network, "optimizer": optimizer}, step, save)


def _rows(
    found: list[Source], vocabulary: Vocabulary, rows: int, length: int, rng: random.Random
) -> tuple[Tensor, Tensor]:
    """(rows, length) int64: sequences one after another, each with its start and end, the last one cut; and of each
    token the place of its source, (rows, length) int64."""
    shares = [source.share for source in found]
    filled = np.zeros((2, rows, length), dtype=np.int64)
    for row in range(rows):
        ids: list[int] = []
        of: list[int] = []
        while len(ids) < length:
            place = rng.choices(range(len(found)), shares)[0]
            ids += [*vocabulary.encode(found[place].draw(rng)), vocabulary.end]
            of += [place] * (len(ids) - len(of))
        filled[:, row] = ids[:length], of[:length]
    tokens, places = torch.from_numpy(filled)
    return tokens, places


def _misheard(ids: Tensor, vocabulary: Vocabulary, rng: random.Random) -> Tensor:
    """(rows, length) int64, some of the units replaced by any phonetic ones: in each row another share of them."""
    draw = np.random.default_rng(rng.getrandbits(64))
    replaced = draw.random(ids.shape) < draw.uniform(0, MISHEARD, (len(ids), 1))
    phonetic = [token for unit, token in vocabulary.unit_ids.items() if unit.kind is Kind.HUBERT]
    others = torch.from_numpy(draw.choice(phonetic, ids.shape)).to(ids.device)
    is_phonetic = torch.isin(ids, torch.tensor(phonetic, device=ids.device))
    return torch.where(torch.from_numpy(replaced).to(ids.device) & is_phonetic, others, ids)


def _as_spans(texts: list[str], seed: int) -> list[str]:
    """Texts cut where spans may be cut, so that the vocabulary also has words as they stand at a span's start."""
    rng = random.Random(seed)
    spans = []
    for text in texts:
        words = text.split(" ")
        at = 0
        while at < len(words):
            step = rng.randint(5, 30)
            spans.append(" ".join(words[at : at + step]) + (" " if at + step < len(words) else ""))
            at += step
    return spans


def _read_sequences(path: Path) -> list[Sequence]:
    sequences = []
    with path.open("rb") as stream:
        for line in read_lines(stream):
            if isinstance(line, BadLine):
                raise line.error
            if not isinstance(line, Header) and line.sequence.spans:
                sequences.append(line.sequence)
    return sequences
