"""Train a quantizer of HuBERT features: k-means, or linear layers trained by CTC on augmented audio."""

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.checkpoints.tensors import load_into, read_tensors, write_tensors
from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.nn.device import find_device
from spiritlm_cli.speech.hubert import Hubert
from spiritlm_cli.speech.quantizer import LinearQuantizer, QuantizerConfig
from spiritlm_cli.training.augmentation import augment, augment_hard
from spiritlm_cli.training.data import (
    CropSampler,
    Recording,
    cluster,
    draw_batch,
    load_recordings,
    read_labels,
    real_weights,
)
from spiritlm_cli.training.loop import Loop
from spiritlm_cli.training.options import QuantizerOptions
from spiritlm_cli.training.run_file import check_run
from spiritlm_cli.training.schedule import warm_cosine

# Share of the steps, at the start, that use cross-entropy per frame instead of CTC. CTC alone does not determine the
# frame of a unit, so units would move away from their time.
FRAMEWISE = 0.4


def train(options: QuantizerOptions) -> None:
    """Train a quantizer and write `L{layer}_quantizer_{units}.safetensors` beside the HuBERT in `options.output`.

    Raises CheckpointError if there is no HuBERT, SpiritLMError for an unknown `kind`, and what the trainings raise.
    """
    checkpoint = Checkpoint(options.output, options.output.name)
    hubert = Hubert.load(checkpoint.hubert, options.layer)
    path = checkpoint.hubert.parent / f"L{options.layer}_quantizer_{options.units}.safetensors"
    check_run(options, "quantizer", path)
    loop = Loop(options, "quantizer", options.steps)
    recordings = load_recordings(options.manifest)
    if options.kind == "kmeans":
        if loop.is_main:
            train_kmeans(options, hubert, recordings, path)
    elif options.kind == "linear":
        train_linear(options, loop, hubert, recordings, path)
    else:
        raise SpiritLMError(f"--kind is linear or kmeans, not {options.kind}")


def train_kmeans(options: QuantizerOptions, hubert: Hubert, recordings: list[Recording], path: Path) -> None:
    """Cluster the features of all frames by k-means and write the centroids to `path`.

    Raises SpiritLMError if there are fewer frames than clusters.
    """
    device = find_device(options.device)
    hubert.to(device)
    with torch.inference_mode():
        waveforms = (torch.from_numpy(r.waveform.samples).to(device) for r in recordings)
        features = np.concatenate([hubert([waveform])[0].cpu().numpy() for waveform in waveforms])
    kmeans = cluster(features, options.units, options.seed)
    centers = torch.from_numpy(np.array(kmeans.centroids))
    write_tensors(path, {"cluster_centers": centers}, {"n_clusters": options.units})


def train_linear(
    options: QuantizerOptions, loop: Loop, hubert: Hubert, recordings: list[Recording], path: Path
) -> None:
    """Train linear layers by CTC to predict labels from features of augmented audio, and write them to `path`.

    HuBERT is frozen. Source: Gat et al. 2023. Raises SpiritLMError if labels are missing or exceed `options.units`.
    """
    if options.labels is None:
        raise SpiritLMError("a linear quantizer needs --labels")
    labels = read_labels(options.labels)
    recordings = [r for r in recordings if len(labels.get(r.clip.id, ()))]
    if not recordings:
        raise SpiritLMError(f"{options.labels}: no clip of {options.manifest} has labels")
    highest = max(int(units.max()) for units in labels.values() if len(units))
    if highest >= options.units:
        raise SpiritLMError(
            f"{options.labels}: has [Hu{highest}]; --units is {options.units}, so the last is one less"
        )
    torch.manual_seed(options.seed)
    device = loop.device
    hubert.to(device)
    config = QuantizerConfig(options.units, hubert.config.encoder_embed_dim, options.units + 1 + 16)
    model = LinearQuantizer(config)
    if options.start:
        load_into(model, read_tensors(options.start), rename=lambda name: f"layers.{name}")
    model.to(device)
    sampler = CropSampler(recordings, options.seconds, real_weights(options.real, options.real_weight))
    change = augment_hard if options.hard else augment
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.01)
    framewise = int(FRAMEWISE * options.steps)

    def step(number: int) -> dict[str, float]:
        rng = loop.rng(number)
        batch = draw_batch(sampler, labels, options.batch, options.seconds, rng, stretch=0.1)
        waveform = batch.waveform.to(device)
        waveform = change(waveform, rng) if number % 3 else waveform
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=options.bf16):
            features = torch.stack(hubert(waveform.unbind())).float()
        logits = model.logits(features)
        targets = batch.labels[:, : logits.shape[1]].to(device)
        per_frame = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        accuracy = (logits.argmax(-1) == targets)[targets >= 0].float().mean()
        losses = {"frames": per_frame.item(), "accuracy": accuracy.item()}
        loss = per_frame
        if number >= framewise:
            ctc = _ctc_loss(logits, targets, options.units)
            losses["ctc"] = ctc.item()
            # keeps units at their time
            loss = ctc + 0.3 * per_frame
        loop.update(
            optimizer, model, loss, warm_cosine(number, options.steps, options.learning_rate, warm=50)
        )
        return losses

    def save() -> None:
        tensors = {name.removeprefix("layers."): tensor.half() for name, tensor in model.state_dict().items()}
        content = {"vocab_size": config.vocab_size, "dim": config.dim, "upstream_dim": config.upstream_dim}
        write_tensors(path, tensors, {"model_cfg": content})

    loop.run({"model": model, "optimizer": optimizer}, step, save)


def _ctc_loss(logits: torch.Tensor, targets: torch.Tensor, blank: int) -> torch.Tensor:
    """CTC loss against targets with runs merged.

    logits: (batch, frames, units + 1). targets: (batch, frames) int64, −100 where unknown. Returns a scalar.
    """
    merged = []
    for row in targets:
        known = row[row >= 0]
        merged.append(torch.unique_consecutive(known))
    lengths = torch.tensor([len(m) for m in merged])
    frames = torch.full((len(logits),), logits.shape[1])
    log_probabilities = logits.log_softmax(-1).transpose(0, 1)
    return F.ctc_loss(log_probabilities, torch.cat(merged), frames, lengths, blank=blank, zero_infinity=True)
