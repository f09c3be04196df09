"""Held-out clips resynthesized by a vocoder in training, at each of its checkpoints."""

from statistics import fmean

import torch
from torch import Tensor

from spiritlm_cli.audio.writing import write_audio
from spiritlm_cli.console import notify
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.training.audio_file import to_float
from spiritlm_cli.training.losses import SpectralLoss
from spiritlm_cli.training.metrics import Value, samples_folder
from spiritlm_cli.training.vocoder_examples import Example
from spiritlm_cli.training.vocoder_options import VocoderOptions
from spiritlm_cli.vocoder.hifigan import HifiGan


class Resynthesis:
    """Synthesizes held-out clips from their units at checkpoints, and measures how far they are from the recordings.

    Units have the durations of the recording. No random numbers are drawn.
    """

    def __init__(
        self, options: VocoderOptions, name: str, generator: HifiGan, examples: list[Example]
    ) -> None:
        """name: of the trained part. generator: the network in training. examples: the clips."""
        self._options, self._name, self._generator, self._examples = options, name, generator, examples
        self._spectral = SpectralLoss()

    def after(self, step: int) -> dict[str, Value]:
        """Write the sounds after `step` steps, if the weights are saved then.

        Returns their mean mel distance, as in the loss (`valid_mel`), and the sounds, by name.
        """
        if step % self._options.save_every and step != self._options.steps:
            return {}
        folder = samples_folder(self._options, self._name) / str(step)
        sounds: dict[str, Value] = {}
        distances = []
        self._generator.eval()
        for number, example in enumerate(self._examples, 1):
            generated, mel = self._synthesize(example)
            distances.append(mel)
            waveform = sounds[f"sounds/{number:02}"] = Waveform(generated[0].numpy(), 16000)
            folder.mkdir(parents=True, exist_ok=True)
            write_audio(folder / f"{number:02}.wav", waveform)
        self._generator.train()
        mean = fmean(distances)
        notify(f"{self._name}: step {step}, held-out mel {mean:.4f}, with sound in {folder}")
        return {"valid_mel": mean} | sounds

    @torch.no_grad()
    def _synthesize(self, example: Example) -> tuple[Tensor, float]:
        """Synthesize a clip. Returns its samples, (1, samples) on the CPU, and the mel distance to the recording."""
        weight = next(self._generator.parameters())
        ids = torch.from_numpy(example.frames[None, :, : example.length]).to(weight.device)
        hubert, *prosody = ids.unbind(1)
        speaker = torch.tensor([example.speaker], device=weight.device)
        with torch.autocast(weight.device.type, torch.bfloat16, enabled=self._options.bf16):
            generated = self._generator(hubert, speaker, *prosody).float().cpu()
        real = to_float(example.samples[: generated.shape[1]])
        mel, _ = self._spectral(generated, torch.from_numpy(real)[None])
        return generated, mel.item()
