"""Train a quantizer of HuBERT features: linear layers, by CTC on augmented audio (Gat et al. 2023)."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from spiritlm_cli.checkpoints.tensors import load_into, read_tensors, write_tensors
from spiritlm_cli.console import track
from spiritlm_cli.errors import CheckpointError, SpiritLMError
from spiritlm_cli.speech.hubert import Hubert
from spiritlm_cli.speech.perturbation import perturb
from spiritlm_cli.speech.quantizer import LinearQuantizer, QuantizerConfig, load_quantizer
from spiritlm_cli.speech.windows import SAMPLE_RATE
from spiritlm_cli.training.augmentation import augment, augment_hard
from spiritlm_cli.training.crops import CropSampler, draw_batch, real_weights
from spiritlm_cli.training.data import (
    Recording,
    check_any_labels,
    check_label_counts,
    load_recordings,
    read_labels,
    with_labels,
)
from spiritlm_cli.training.hubert_model import trained_hubert
from spiritlm_cli.training.invariance import InvarianceReport, Quantizer, clip_units, measure_invariance
from spiritlm_cli.training.loop import Loop
from spiritlm_cli.training.options import QuantizerOptions
from spiritlm_cli.training.report import Report, WeightedMean
from spiritlm_cli.training.run_file import check_run
from spiritlm_cli.training.schedule import warm_cosine

# Share of the steps, at the start, that use cross-entropy per frame instead of CTC. CTC alone does not determine the
# frame of a unit, so units would move away from their time.
FRAMEWISE = 0.4
# Clips of the manifest that are measured without --test.
TESTED = 20

Labels = Mapping[str, NDArray[np.int64]]


def train(options: QuantizerOptions) -> InvarianceReport | None:
    """Train a quantizer and write `L{layer}_quantizer_{units}.safetensors` beside the HuBERT in `options.output`.

    Returns the report in the first process. Raises OptionError, CheckpointError if there is no HuBERT or for the
    teacher, and SpiritLMError if labels are missing or exceed `options.units`.
    """
    options.check()
    weights = trained_hubert(options.output)
    hubert = Hubert.load(weights, options.layer)
    path = weights.parent / f"L{options.layer}_quantizer_{options.units}.safetensors"
    check_run(options, "quantizer", path)
    given = read_labels(options.labels) if options.labels else {}
    if options.labels:
        check_any_labels(given, options.manifest, options.labels)
    loop = Loop(options, "quantizer", options.iterations * options.steps)
    with loop.main_first():
        recordings = load_recordings(options.manifest, options.output / "training")
    return _train(options, loop, hubert, recordings, given, path)


def _train(
    options: QuantizerOptions,
    loop: Loop,
    hubert: Hubert,
    recordings: list[Recording],
    given: Labels,
    path: Path,
) -> InvarianceReport | None:
    """Train linear layers by CTC to predict labels from features of augmented audio, and write them to `path`.

    given: labels of `options.labels`; without, those of the teacher are used.

    HuBERT is frozen. Source: Gat et al. 2023 (arXiv 2209.15483).
    """
    torch.manual_seed(options.seed)
    device = loop.device
    hubert.to(device)
    before = _load_teacher(options, hubert, path)
    labels = given if before is None else _encode(hubert, before, recordings)
    all_recordings = recordings
    recordings = with_labels(recordings, labels, options.manifest, options.labels or options.teacher)
    _check_highest(labels, options)
    if options.labels:
        rate = SAMPLE_RATE // hubert.config.encoder.hop
        check_label_counts(recordings, labels, rate, options.labels)
    config = QuantizerConfig(options.units, hubert.config.encoder_embed_dim, options.units + 1 + 16)
    model = LinearQuantizer(config)
    if options.start:
        load_into(model, read_tensors(options.start), rename=lambda name: f"layers.{name}")
    model.to(device)
    teacher = Teacher(hubert, recordings, labels, model, options.steps if options.iterations > 1 else 0)
    sampler = CropSampler(recordings, options.seconds, real_weights(options.real, options.real_weight))
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.01)

    def step(number: int) -> Report:
        iteration, position = divmod(number, options.steps)
        rng = loop.rng(number)
        waveform, frame_labels, merged = _draw(
            options, sampler, teacher.labels(iteration), number % 3 > 0, rng, device
        )
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=options.bf16):
            features = torch.stack(hubert(waveform.unbind())).float()
        logits = model.logits(features)
        targets = frame_labels[:, : logits.shape[1]].to(device)
        logits = logits[:, : targets.shape[1]]
        known = targets >= 0
        # crops may be without labels, which are shorter than their clips
        summed = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum")
        loss = per_frame = summed / known.sum().clamp(min=1)
        losses: dict[str, Tensor | WeightedMean] = {
            "frames": WeightedMean(summed, known.sum()),
            "accuracy": WeightedMean.of((logits.argmax(-1) == targets)[known]),
        }
        if position >= int(FRAMEWISE * options.steps):
            ctc = _ctc_loss(logits, merged.to(device), options.units)
            losses["ctc"] = ctc
            # keeps units at their time
            loss = ctc + 0.3 * per_frame
        rate = warm_cosine(position, options.steps, options.learning_rate, min(50, options.steps // 5))
        loop.update(optimizer, model, loss, rate)
        return losses

    def save() -> None:
        tensors = {name.removeprefix("layers."): tensor.half() for name, tensor in model.state_dict().items()}
        content = {"vocab_size": config.vocab_size, "dim": config.dim, "upstream_dim": config.upstream_dim}
        write_tensors(path, tensors, {"model_cfg": content})

    loop.run({"model": model, "teacher": teacher, "optimizer": optimizer}, step, save)
    if not loop.is_main:
        return None
    tested = all_recordings[:TESTED]
    if options.test:
        tested = load_recordings(options.test, options.output / "training")
    quantizers = ({"teacher": before} if before else {}) | {"trained": model}
    return measure_invariance(hubert, quantizers, tested, options.seed)


class Teacher:
    """The labels of each iteration: those that are given, and then the units of the student of the iteration before."""

    def __init__(
        self,
        hubert: Hubert,
        recordings: list[Recording],
        labels: Labels,
        student: LinearQuantizer,
        steps: int = 0,
    ) -> None:
        """labels: of the first iteration, by clip id. student: the model in training. steps: of an iteration, if there
        are several.
        """
        self._steps = steps
        self._hubert, self._recordings, self._student = hubert, recordings, student
        self._model = copy.deepcopy(student).requires_grad_(False)
        # iteration: whose labels `_model` gives; labeled: whose labels `_labels` are
        self._iteration = self._labeled = 0
        self._labels = labels

    def labels(self, iteration: int) -> Labels:
        """Labels of an iteration, from 0, by clip id. At its first step the student becomes the teacher."""
        if iteration > self._iteration:
            self._model.load_state_dict(self._student.state_dict())
            self._iteration = iteration
        if iteration > self._labeled:
            self._labels = _encode(self._hubert, self._model, self._recordings)
            self._labeled = iteration
        return self._labels

    def state_dict(self) -> dict[str, Any]:
        return {"iteration": self._iteration, "model": self._model.state_dict(), "steps": self._steps}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Raises CheckpointError for a training with iterations of another length, whose labels would be others."""
        if state_dict["steps"] != self._steps:
            raise CheckpointError(
                f"the iterations have {state_dict['steps']} steps; resume with the same --steps, or start a new run"
            )
        self._iteration = int(state_dict["iteration"])
        self._model.load_state_dict(state_dict["model"])


def _encode(hubert: Hubert, quantizer: Quantizer, recordings: list[Recording]) -> Labels:
    return {
        r.clip.id: clip_units(hubert, quantizer, r.waveform.samples)
        for r in track(recordings, "labels of clips", len(recordings))
    }


def _load_teacher(options: QuantizerOptions, hubert: Hubert, path: Path) -> Quantizer | None:
    """Load the teacher, if there is one. path: of the quantizer to write. Raises CheckpointError."""
    if options.teacher is None:
        return None
    if options.teacher.resolve() == path.resolve():
        raise CheckpointError(
            f"{path}: is the teacher, and would be replaced; copy it to another folder first"
        )
    teacher = load_quantizer(options.teacher)
    if teacher.dim != hubert.config.encoder_embed_dim:
        raise CheckpointError(
            f"{options.teacher}: takes features of width {teacher.dim}, the HuBERT's are "
            f"{hubert.config.encoder_embed_dim} wide"
        )
    return teacher.to(next(hubert.parameters()).device)


def _check_highest(labels: Labels, options: QuantizerOptions) -> None:
    """Raise SpiritLMError if there are labels of more units than the quantizer is to have."""
    highest = max(int(units.max()) for units in labels.values() if len(units))
    if highest >= options.units:
        raise SpiritLMError(
            f"{options.labels or options.teacher}: has [Hu{highest}]; --units is {options.units}, so the last is one "
            "less"
        )


def _draw(
    options: QuantizerOptions,
    sampler: CropSampler,
    labels: Labels,
    changed: bool,
    rng: np.random.Generator,
    device: torch.device,
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw a batch. changed: whether to augment it.

    Returns the waveform, (batch, samples), the label of each of its frames, and labels to merge for CTC. Both are
    (batch, frames) int64, −100 where unknown; they differ if the speed is changed.
    """
    names = options.perturbations
    batch = draw_batch(sampler, labels, options.batch, options.seconds, rng, stretch=0.0 if names else 0.1)
    waveform, targets = batch.waveform.to(device), batch.labels
    if not changed:
        return waveform, targets, targets
    if not names:
        change = augment_hard if options.hard else augment
        return change(waveform, rng), targets, targets
    waveform, speed = perturb(names[int(rng.integers(len(names)))], waveform, rng)
    frames = int(targets.shape[1] / speed)
    index = ((torch.arange(frames) + 0.5) * speed).long().clamp(max=targets.shape[1] - 1)
    return waveform, targets[:, index], targets


def _ctc_loss(logits: torch.Tensor, targets: torch.Tensor, blank: int) -> torch.Tensor:
    """CTC loss against targets with runs merged.

    logits: (batch, frames, units + 1). targets: (batch, frames) int64, −100 where unknown; rows without any are left
    out. Returns a scalar.
    """
    labeled = (targets >= 0).any(1)
    if not bool(labeled.any()):
        return logits.sum() * 0
    logits = logits[labeled]
    merged = [torch.unique_consecutive(row[row >= 0]) for row in targets[labeled]]
    lengths = torch.tensor([len(m) for m in merged])
    frames = torch.full((len(logits),), logits.shape[1])
    log_probabilities = logits.log_softmax(-1).transpose(0, 1)
    return F.ctc_loss(log_probabilities, torch.cat(merged), frames, lengths, blank=blank, zero_infinity=True)
