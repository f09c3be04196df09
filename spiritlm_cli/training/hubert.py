"""Train HuBERT to predict the pseudo-label of every frame from augmented, partly masked audio (Hsu et al. 2021)."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from spiritlm_cli.checkpoints.tensors import read_tensors, write_tensors
from spiritlm_cli.console import notify, track
from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.speech.hubert import Hubert, HubertConfig, HubertTask, release_content
from spiritlm_cli.training.augmentation import augment, augment_hard
from spiritlm_cli.training.data import (
    CropSampler,
    Recording,
    draw_batch,
    load_recordings,
    read_labels,
    read_units,
    real_weights,
    write_labels,
)
from spiritlm_cli.training.loop import Loop, warm_cosine
from spiritlm_cli.training.options import POSITION_GROUPS, HubertOptions
from spiritlm_cli.training.phones import align_phones, write_phones
from spiritlm_cli.training.run_file import check_run

_ANY_BACKEND = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


class Pretraining(nn.Module):
    """HuBERT with the mask embedding and the classifier of labels, which only training needs."""

    def __init__(self, config: HubertConfig, units: int) -> None:
        super().__init__()
        self.hubert = Hubert(config, HubertTask())
        self.mask = nn.Parameter(torch.rand(config.encoder_embed_dim))
        self.classifier = nn.Linear(config.encoder_embed_dim, units)

    @classmethod
    def load(cls, path: Path, units: int) -> "Pretraining":
        """Load weights written by `train`. The classifier is loaded if it has `units` classes, otherwise it is new.

        Raises CheckpointError for an invalid file.
        """
        file = read_tensors(path)
        hubert = Hubert.load(path)
        model = cls(hubert.config, units)
        model.hubert = hubert.train().requires_grad_(True)
        with torch.no_grad():
            model.mask.copy_(file.tensors.get("mask_emb", model.mask))
            weight, bias = file.tensors.get("final_proj.weight"), file.tensors.get("final_proj.bias")
            if weight is not None and bias is not None and weight.shape == model.classifier.weight.shape:
                model.classifier.weight.copy_(weight)
                model.classifier.bias.copy_(bias)
        return model

    def forward(self, waveform: Tensor, masked: Tensor, dropout: float) -> Tensor:
        """Predict the labels of frames.

        waveform: (batch, samples) at 16 kHz. masked: (batch, ≥ frames) bool, frames to mask. dropout: rate in the
        transformer. Returns logits (batch, frames, units).
        """
        x = torch.stack(self.hubert.encoder.embed(self.hubert.prepare(waveform.unbind())))
        x = torch.where(masked[:, : x.shape[1], None], self.mask.to(x.dtype), x)
        x = torch.stack(self.hubert.encoder.contextualize(x.unbind(), dropout))
        logits: Tensor = self.classifier(x)
        return logits


def spans(shape: tuple[int, int], share: float, rng: np.random.Generator, length: int = 5) -> Tensor:
    """Draw a mask of random, possibly overlapping spans of `length` frames that covers about `share` of the frames.

    shape: (batch, frames). Returns bool.
    """
    starts = rng.random(shape) < share / length
    mask = starts.copy()
    for shift in range(1, length):
        mask[:, shift:] |= starts[:, :-shift]
    return torch.from_numpy(mask)


def train(options: HubertOptions) -> None:
    """Train and write `speech_tokenizer/hubert_25hz/mhubert_base_25hz.safetensors` under `options.output`.

    Raises SpiritLMError if there are no labels, CheckpointError for a run that can't be resumed.
    """
    path = options.output / "speech_tokenizer" / "hubert_25hz" / "mhubert_base_25hz.safetensors"
    check_run(options, "hubert", path)
    loop = Loop(options, "hubert", options.steps)
    recordings = load_recordings(options.manifest)
    labels_path = options.labels or options.output / "training" / "labels.txt"
    with loop.main_first():
        is_written = labels_path.is_file() and (options.resume or not loop.is_main)
        if options.labels is None and not is_written:
            _write_pseudo_labels(options, recordings, labels_path)
    labels = read_labels(labels_path)
    recordings = [r for r in recordings if len(labels.get(r.clip.id, ()))]
    if not recordings:
        raise SpiritLMError(f"{labels_path}: no clip of {options.manifest} has labels")
    units = 1 + max(int(units.max()) for units in labels.values() if len(units))

    torch.manual_seed(options.seed)
    device = loop.device
    model = _new_model(options, units).to(device)
    sampler = CropSampler(recordings, options.seconds, real_weights(options.real, options.real_weight))
    change = augment_hard if options.hard else augment
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.01)

    def step(number: int) -> dict[str, float]:
        rng = loop.rng(number)
        torch.manual_seed(int(rng.integers(1 << 31)))
        batch = draw_batch(sampler, labels, options.batch, options.seconds, rng, stretch=0.15)
        masked = spans((len(batch.waveform), batch.labels.shape[1]), options.mask, rng)
        changed = change(batch.waveform.to(device), rng)
        # on a CPU, fused attention has a slow backward pass: plain attention is twice as fast at 100 frames
        with (
            torch.autocast(device.type, torch.bfloat16, enabled=options.bf16),
            sdpa_kernel(SDPBackend.MATH if device.type == "cpu" else _ANY_BACKEND),
        ):
            logits = model(changed, masked.to(device), options.dropout)
        targets = batch.labels[:, : logits.shape[1]].to(device)
        loss = F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), label_smoothing=0.05)
        loop.update(optimizer, model, loss, warm_cosine(number, options.steps, options.learning_rate))
        known = (targets >= 0) & ~masked[:, : logits.shape[1]].to(device)
        accuracy = (logits.argmax(-1) == targets)[known].float().mean()
        return {"loss": loss.item(), "accuracy": accuracy.item()}

    def save() -> None:
        tensors, content = release_content(model.hubert)
        tensors |= {
            "mask_emb": model.mask,
            "final_proj.weight": model.classifier.weight,
            "final_proj.bias": model.classifier.bias,
        }
        write_tensors(path, {k: v.half() for k, v in tensors.items()}, content)

    loop.run({"model": model, "optimizer": optimizer}, step, save)


def _new_model(options: HubertOptions, units: int) -> Pretraining:
    """Create the model, with the weights of `options.start` or random ones. units: number of labels."""
    if options.start:
        return Pretraining.load(options.start, units)
    conv = f"[({options.conv}, 10, 5)] + [({options.conv}, 3, 2)] * 4 + [({options.conv}, 2, 2)] * 3"
    config = HubertConfig(
        encoder_layers=options.layers,
        encoder_embed_dim=options.dim,
        encoder_ffn_embed_dim=4 * options.dim,
        encoder_attention_heads=options.heads,
        conv_feature_layers=conv,
        conv_pos=32,
        conv_pos_groups=POSITION_GROUPS,
    )
    return Pretraining(config, units)


def _write_pseudo_labels(options: HubertOptions, recordings: list[Recording], path: Path) -> None:
    """Make labels from the features of `options.teacher`, and write them to `path` and the phones beside it."""
    from spiritlm_cli.training.pseudo_labels import WhisperEncoder, make_labels

    if options.teacher is None:
        raise SpiritLMError("HuBERT needs --labels, or --teacher to make them")
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
