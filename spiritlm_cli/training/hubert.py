"""Train HuBERT to predict the pseudo-label of every frame from augmented, partly masked audio (Hsu et al. 2021)."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from spiritlm_cli.checkpoints.tensors import write_tensors
from spiritlm_cli.console import notify, track
from spiritlm_cli.nn.device import seed_torch
from spiritlm_cli.speech.hubert import HubertConfig, release_content
from spiritlm_cli.speech.windows import SAMPLE_RATE
from spiritlm_cli.training.augmentation import augment, augment_hard
from spiritlm_cli.training.crops import CropSampler, draw_batch, real_weights
from spiritlm_cli.training.data import (
    Recording,
    check_any_labels,
    check_label_counts,
    load_recordings,
    read_labels,
    read_units,
    with_labels,
    write_labels,
)
from spiritlm_cli.training.hubert_model import Pretraining, spans
from spiritlm_cli.training.loop import Loop
from spiritlm_cli.training.options import POSITION_GROUPS, HubertOptions
from spiritlm_cli.training.phones import align_phones, write_phones
from spiritlm_cli.training.report import Report, WeightedMean
from spiritlm_cli.training.run_file import check_run
from spiritlm_cli.training.schedule import warm_cosine

_ANY_BACKEND = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


def train(options: HubertOptions) -> None:
    """Train and write `speech_tokenizer/hubert_25hz/mhubert_base_25hz.safetensors` under `options.output`.

    At 50 Hz, which is no rate of a tokenizer, both names have 50 in place of 25.
    Raises SpiritLMError if there are no labels or not one for each frame, CheckpointError for a run that can't be
    resumed.
    """
    rate = options.rate
    path = options.output / "speech_tokenizer" / f"hubert_{rate}hz" / f"mhubert_base_{rate}hz.safetensors"
    check_run(options, "hubert", path)
    labels = read_labels(options.labels) if options.labels else {}
    if options.labels:
        check_any_labels(labels, options.manifest, options.labels)
    loop = Loop(options, "hubert", options.steps)
    labels_path = options.labels or options.output / "training" / "labels.txt"
    with loop.main_first():
        recordings = load_recordings(options.manifest, options.output / "training")
        is_written = labels_path.is_file() and (options.resume or not loop.is_main)
        if options.labels is None and not is_written:
            _write_pseudo_labels(options, recordings, labels_path)
    labels = labels or read_labels(labels_path)
    recordings = with_labels(recordings, labels, options.manifest, labels_path)
    hop = SAMPLE_RATE // rate
    check_label_counts(recordings, labels, rate, labels_path)
    units = 1 + max(int(units.max()) for units in labels.values() if len(units))

    torch.manual_seed(options.seed)
    device = loop.device
    model = _new_model(options, units).to(device)
    sampler = CropSampler(recordings, options.seconds, real_weights(options.real, options.real_weight))
    change = (augment_hard if options.hard else augment) if options.augment else _unchanged
    stretch = 0.15 if options.augment else 0.0
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.01)

    def step(number: int) -> Report:
        rng = loop.rng(number)
        seed_torch(int(rng.integers(1 << 31)), device)
        batch = draw_batch(sampler, labels, options.batch, options.seconds, rng, stretch, hop)
        # spans of 0.2 s
        masked = spans((len(batch.waveform), batch.labels.shape[1]), options.mask, rng, rate // 5)
        changed = change(batch.waveform.to(device), rng)
        # on a CPU, fused attention has a slow backward pass: plain attention is twice as fast at 100 frames
        with (
            torch.autocast(device.type, torch.bfloat16, enabled=options.bf16),
            sdpa_kernel(SDPBackend.MATH if device.type == "cpu" else _ANY_BACKEND),
        ):
            logits = model(changed, masked.to(device), options.dropout)
        targets = batch.labels[:, : logits.shape[1]].to(device)
        hidden = masked[:, : logits.shape[1]].to(device)
        loss = _loss(logits.float(), targets, hidden, options.unmasked)
        loop.update(optimizer, model, loss, warm_cosine(number, options.steps, options.learning_rate))
        correct = logits.argmax(-1) == targets
        known = targets >= 0
        return {
            "loss": loss,
            "accuracy": WeightedMean.of(correct[known & ~hidden]),
            "masked": WeightedMean.of(correct[known & hidden]),
        }

    def save() -> None:
        tensors, content = release_content(model.hubert)
        tensors |= {
            "mask_emb": model.mask,
            "final_proj.weight": model.classifier.weight,
            "final_proj.bias": model.classifier.bias,
        }
        write_tensors(path, {k: v.half() for k, v in tensors.items()}, content)

    loop.run({"model": model, "optimizer": optimizer}, step, save)


def _loss(logits: Tensor, targets: Tensor, masked: Tensor, unmasked: float) -> Tensor:
    """Mean cross-entropy over the frames with a label, those that are not masked with the weight `unmasked`.

    logits: (batch, frames, units). targets: (batch, frames) int64, −100 where unknown. masked: (batch, frames) bool.
    """
    losses = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), label_smoothing=0.05, reduction="none")
    weights = torch.where(masked, 1.0, unmasked) * (targets >= 0)
    return (losses * weights.flatten()).sum() / weights.sum().clamp(min=1e-6)


def _unchanged(waveform: Tensor, _: np.random.Generator) -> Tensor:
    return waveform


def _new_model(options: HubertOptions, units: int) -> Pretraining:
    """Create the model, with the weights of `options.start` or random ones. units: number of labels."""
    if options.start:
        return Pretraining.load(options.start, units, options.rate)
    last = {25: 3, 50: 2}[options.rate]
    conv = f"[({options.conv}, 10, 5)] + [({options.conv}, 3, 2)] * 4 + [({options.conv}, 2, 2)] * {last}"
    config = HubertConfig(
        encoder_layers=options.layers,
        encoder_embed_dim=options.dim,
        encoder_ffn_embed_dim=4 * options.dim,
        encoder_attention_heads=options.heads,
        conv_feature_layers=conv,
        conv_pos=options.position_kernel,
        conv_pos_groups=POSITION_GROUPS,
        label_rate=float(options.rate),
    )
    return Pretraining(config, units)


def _write_pseudo_labels(options: HubertOptions, recordings: list[Recording], path: Path) -> None:
    """Make labels from the features of `options.teacher`, and write them to `path` and the phones beside it."""
    from spiritlm_cli.training.pseudo_labels import WhisperEncoder, make_labels

    assert options.teacher
    encoder = WhisperEncoder(options.teacher)
    features = {
        r.clip.id: encoder(r.waveform.samples)
        for r in track(recordings, "features of clips", len(recordings))
    }
    anchors = None
    if options.anchors:
        anchors = {clip: units.hubert for clip, units in read_units(options.anchors).items()}
    notify(f"{options.manifest}: aligning the phones")
    phones = align_phones((r.clip, r.waveform) for r in recordings)
    write_phones(path.with_name("phones.jsonl"), phones)
    labels = make_labels(features, phones, options.units, anchors=anchors, seed=options.seed)
    write_labels(path, labels)
