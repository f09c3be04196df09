"""Train the vocoder with spectral losses, later also with discriminators; its duration predictor is trained jointly."""

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from spiritlm_cli.checkpoints.tensors import load_into, read_tensors, write_tensors
from spiritlm_cli.checkpoints.weight_norm import release_state_dict
from spiritlm_cli.config import from_mapping
from spiritlm_cli.files import write_text
from spiritlm_cli.nn.device import seed_torch
from spiritlm_cli.training.audio_file import to_float
from spiritlm_cli.training.data import HOP
from spiritlm_cli.training.discriminators import Discriminators, adversarial_loss, discriminator_loss
from spiritlm_cli.training.hubert_loss import HubertLoss
from spiritlm_cli.training.loop import Loop
from spiritlm_cli.training.losses import SpectralLoss
from spiritlm_cli.training.report import Report
from spiritlm_cli.training.resynthesis import Resynthesis
from spiritlm_cli.training.run_file import check_run
from spiritlm_cli.training.schedule import warm_cosine
from spiritlm_cli.training.stateful import Stateful
from spiritlm_cli.training.vocoder_examples import Example, check_units, read_examples, read_held_out
from spiritlm_cli.training.vocoder_options import VocoderOptions
from spiritlm_cli.vocoder.config import DurationConfig, HifiGanConfig
from spiritlm_cli.vocoder.hifigan import HifiGan

# Share of crops whose units are as in decoding a sequence without repeats, the more frequent use.
RUNS_SHARE = 0.7
_FOLDERS = {"expressive": "hifigan_spiritlm_expressive_w2v2", "base": "hifigan_spiritlm_base"}
# Residual blocks and upsampling layers. hifigan: V1 of the paper (Kong et al. 2020), for frames of 640 samples.
_LAYERS: dict[str, dict[str, Any]] = {
    "small": dict(
        resblock="2", resblock_kernel_sizes=[3, 5, 7], resblock_dilation_sizes=[[1, 2], [2, 6], [3, 12]],
        upsample_rates=[5, 8, 4, 4], upsample_kernel_sizes=[11, 16, 8, 8],
    ),
    "hifigan": dict(
        resblock="1", resblock_kernel_sizes=[3, 7, 11], resblock_dilation_sizes=[[1, 3, 5]] * 3,
        upsample_rates=[5, 4, 4, 4, 2], upsample_kernel_sizes=[11, 8, 8, 8, 4],
    ),
}  # fmt: skip


def vocoder_config(options: VocoderOptions, speakers: int) -> dict[str, Any]:
    """Return the content of `config.json` for a new vocoder with `speakers` speakers."""
    embedding = options.embedding
    expressive = options.kind == "expressive"
    prosody = dict(num_f0_tokens=64, f0_hop_size=2 * HOP, num_style_tokens=100, style_hop_size=16000)
    return dict(
        **_LAYERS[options.generator],
        upsample_initial_channel=options.channels, num_embeddings=501, embedding_dim=embedding,
        model_in_dim=(4 if expressive else 2) * embedding, multispkr="_", num_speakers=speakers,
        code_hop_size=HOP, sampling_rate=16000,
        dur_predictor_params=asdict(DurationConfig(embedding, 2 * embedding, 3, 0.5)),
        **(prosody if expressive else {}),
    )  # fmt: skip


def train(options: VocoderOptions) -> None:
    """Train and write `speech_tokenizer/hifigan_spiritlm_expressive_w2v2/` under `options.output`.

    A base vocoder is written to `hifigan_spiritlm_base/` beside it.
    Raises OptionError, ManifestError for clips or units that can't be used, CheckpointError for a run that can't be
    resumed.
    """
    options.check()
    folder = options.output / "speech_tokenizer" / _FOLDERS[options.kind]
    name = "vocoder" if options.kind == "expressive" else "base_vocoder"
    check_run(options, name, folder / "generator.safetensors")
    loop = Loop(options, name, options.steps)
    # before the audio is read, which may take long
    hubert_loss = HubertLoss(options.hubert, options.frames * HOP).to(loop.device) if options.hubert else None
    with loop.main_first():
        examples, speakers = read_examples(options)
        held_out = read_held_out(options, speakers)
    content = vocoder_config(options, len(speakers))
    config = from_mapping(HifiGanConfig, content, folder / "config.json")
    check_units([*examples, *held_out], config, options.units)
    torch.manual_seed(options.seed)
    generator = HifiGan(config, weight_normed=True).to(loop.device)
    if options.start:
        load_into(generator, read_tensors(options.start), rename=_training_name)
    trainer = VocoderTrainer(options, loop, generator, examples, hubert_loss)

    def save() -> None:
        tensors = {name: tensor.half() for name, tensor in release_state_dict(generator).items()}
        write_tensors(folder / "generator.safetensors", tensors)
        write_text(folder / "config.json", json.dumps(content, indent=2) + "\n")
        write_text(folder / "speakers.txt", "".join(f"{name}\n" for name in speakers))

    after = (
        Resynthesis(options, name, generator, held_out).after if held_out and loop.is_main else lambda _: {}
    )
    loop.run(trainer.parts, trainer.step, save, after=after)


class VocoderTrainer:
    """Computes training steps of the generator and the discriminators, with an optimizer for each."""

    def __init__(
        self,
        options: VocoderOptions,
        loop: Loop,
        generator: HifiGan,
        examples: list[Example],
        hubert_loss: HubertLoss | None,
    ) -> None:
        self._options, self._loop, self._generator, self._examples = options, loop, generator, examples
        device = self._device = loop.device
        weights = np.array([e.length for e in examples], dtype=np.float64)
        self._weights = weights / weights.sum()
        self._discriminators = Discriminators(options.discriminators == "hifigan").to(device)
        self._spectral = SpectralLoss().to(device)
        self._hubert_loss = hubert_loss
        settings: dict[str, Any] = dict(betas=(0.8, 0.99), weight_decay=0.01)
        self._optimizer = torch.optim.AdamW(generator.parameters(), **settings)
        self._discriminator_optimizer = torch.optim.AdamW(self._discriminators.parameters(), **settings)

    @property
    def parts(self) -> dict[str, Stateful]:
        """The models and optimizers that training changes, by name."""
        return {
            "generator": self._generator,
            "discriminators": self._discriminators,
            "optimizer": self._optimizer,
            "discriminator_optimizer": self._discriminator_optimizer,
        }

    def step(self, number: int) -> Report:
        """Compute a micro-batch of the generator and, from `options.adversarial_from` on, of the discriminators.

        Returns losses by name.
        """
        options, device = self._options, self._device
        rng = self._loop.rng(number)
        seed_torch(int(rng.integers(1 << 31)), device)
        chosen = [self._examples[i] for i in rng.choice(len(self._examples), options.batch, p=self._weights)]
        ids, real = _crops(chosen, options.frames, rng)
        ids, real = ids.to(device), real.to(device)
        speaker = torch.tensor([e.speaker for e in chosen], device=device)
        rate = warm_cosine(number, options.steps, options.learning_rate)
        self._generator.train()
        with self._autocast():
            hubert, *prosody = ids.unbind(1)
            generated = self._generator(hubert, speaker, *prosody).float()
        mel, stft = self._spectral(generated, real)
        duration = _duration_loss(self._generator, chosen, device)
        losses = {"mel": mel, "stft": stft, "duration": duration}
        loss = options.mel_weight * mel + options.stft_weight * stft + duration
        if self._hubert_loss:
            with self._autocast():
                losses["hubert"] = self._hubert_loss(generated, real)
            loss = loss + options.hubert_weight * losses["hubert"]
        if number >= options.adversarial_from:
            adversarial, adversarial_losses = self._adversarial(generated, real, rate)
            loss = loss + adversarial
            losses |= adversarial_losses
        self._loop.update(self._optimizer, self._generator, loss, rate, clip=100.0)
        return losses

    def _adversarial(self, generated: Tensor, real: Tensor, rate: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Update the discriminators, then compute the generator's loss against them.

        Returns that loss, and the losses to report by name.
        """
        self._discriminators.requires_grad_(True)
        with self._autocast():
            discriminator = discriminator_loss(self._discriminators, real, generated.detach())
        self._loop.update(self._discriminator_optimizer, self._discriminators, discriminator, min(rate, 2e-4))
        # the generator's loss has no gradient here, which would add to that of the next micro-batch
        self._discriminators.requires_grad_(False)
        with self._autocast():
            adversarial, features = adversarial_loss(self._discriminators, real, generated)
        losses = {
            "adversarial": adversarial,
            "features": features,
            "discriminator": discriminator,
        }
        return adversarial + self._options.feature_weight * features, losses

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self._device.type, torch.bfloat16, enabled=self._options.bf16)


def _training_name(name: str) -> str:
    """Return the name that torch's parametrization gives a weight-norm tensor."""
    g, v = "parametrizations.weight.original0", "parametrizations.weight.original1"
    return name.replace("weight_g", g).replace("weight_v", v)


def _crops(chosen: list[Example], frames: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Draw a crop of each example. Returns unit ids (batch, kinds, frames) and audio (batch, frames * HOP).

    A crop has the units of `Example.runs` with probability `RUNS_SHARE`, else of `Example.frames`.
    """
    ids = np.zeros((len(chosen), len(chosen[0].frames), frames), dtype=np.int64)
    audio = np.zeros((len(chosen), frames * HOP), dtype=np.float32)
    for i, example in enumerate(chosen):
        start = int(rng.integers(0, example.length - frames + 1))
        source = example.runs if rng.random() < RUNS_SHARE else example.frames
        ids[i] = source[:, start : start + frames]
        audio[i] = to_float(example.samples[start * HOP : (start + frames) * HOP])
    return torch.from_numpy(ids), torch.from_numpy(audio)


def _duration_loss(generator: HifiGan, chosen: list[Example], device: torch.device) -> Tensor:
    """Mean squared error of the predicted ln(1 + frames) over all units of the clips, a scalar."""
    longest = max(len(e.units) for e in chosen)
    units = np.zeros((len(chosen), longest), dtype=np.int64)
    frames = np.zeros((len(chosen), longest), dtype=np.float32)
    for i, example in enumerate(chosen):
        units[i, : len(example.units)] = example.units
        frames[i, : len(example.units)] = example.durations
    target = torch.from_numpy(frames).to(device)
    predicted = generator.log_durations(torch.from_numpy(units).to(device))
    return F.mse_loss(predicted[target > 0], torch.log1p(target[target > 0]))
