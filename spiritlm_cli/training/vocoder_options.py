"""Options of `spiritlm train vocoder`. No torch, so that `--help` is fast."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spiritlm_cli.errors import OptionError
from spiritlm_cli.options import option
from spiritlm_cli.training.options import LoopOptions


@dataclass(frozen=True, kw_only=True)
class VocoderOptions(LoopOptions):
    """Train HiFi-GAN and its duration predictor on audio and its units."""

    manifest: Path = option(..., "Manifest of the training clips, with speakers.", group="input")
    units: Path = option(..., "JSONL of the clips' units, as `tokenize --format jsonl`.", group="input")
    valid_manifest: Path | None = option(
        None,
        "Manifest of a few held-out clips, with units in --units: they are resynthesized at each save, to "
        "OUTPUT/training/samples/vocoder/STEP/NN.wav.",
        group="input",
    )
    speakers: str = option(
        "",
        "Speakers to train, in the order of their ids, separated by commas (default: all of the manifest, sorted).",
        group="input",
        metavar="NAME,…",
    )
    kind: str = option(
        "expressive",
        "Units that it takes: expressive (phonetic, pitch and style) or base (phonetic).",
        group="network",
        metavar="base|expressive",
    )
    start: Path | None = option(None, "Initial weights (generator.*), instead of random ones.", group="input")
    generator: Literal["small", "hifigan"] = option(
        "small",
        "Layers after the embeddings: small, or hifigan, as the release has them (HiFi-GAN V1 with --channels 512 "
        "--embedding 128).",
        group="network",
    )
    channels: int = option(256, "Channels before the first upsampling layer.", group="network", minimum=1)
    embedding: int = option(64, "Width of the embeddings of units and speakers.", group="network", minimum=1)
    steps: int = option(10000, "Training steps.", group="training", minimum=1)
    adversarial_from: int = option(
        10000,
        "First step that uses the discriminators (--steps or more: none does).",
        group="training",
        minimum=0,
    )
    discriminators: str = option(
        "small",
        "Small (multi-period and multi-resolution, few channels) or hifigan (the paper's: multi-period and "
        "multi-scale, 71 million parameters).",
        group="training",
        metavar="small|hifigan",
    )
    mel_weight: float = option(
        12.0, "Weight of the distance of log-mel spectra (HiFi-GAN: 45).", group="training", minimum=0
    )
    stft_weight: float = option(
        1.0, "Weight of the distance of STFT magnitudes (HiFi-GAN: 0).", group="training", minimum=0
    )
    feature_weight: float = option(
        4.0,
        "Weight of the distance of the discriminators' features (HiFi-GAN: 2).",
        group="training",
        minimum=0,
    )
    hubert: Path | None = option(
        None,
        "Trained HuBERT (weights or Hugging Face folder): the distance of its features of generated and real speech is "
        "a loss too.",
        group="input",
    )
    hubert_weight: float = option(
        25.0, "With --hubert: weight of that distance.", group="training", minimum=0, above=True
    )
    batch: int = option(16, "Crops in a batch.", group="training", minimum=1)
    frames: int = option(14, "Length of a crop, in frames of 40 ms.", group="training", minimum=1)
    learning_rate: float = option(8e-4, "Peak learning rate.", group="training", minimum=0, above=True)

    def check(self) -> None:
        """Raise OptionError for kinds that are not known, a speaker who is named twice, and a weight of no loss."""
        super().check()
        if self.kind not in ("base", "expressive"):
            raise OptionError(f"is base or expressive, not {self.kind}", "--kind")
        if self.discriminators not in ("small", "hifigan"):
            raise OptionError(f"is small or hifigan, not {self.discriminators}", "--discriminators")
        if not self.hubert and self.hubert_weight != type(self).hubert_weight:
            raise OptionError("is for the features of a HuBERT; give --hubert too", "--hubert-weight")
        names = self.speaker_names
        if len(set(names)) < len(names):
            raise OptionError(f"{self.speakers} has a name twice", "--speakers")

    @property
    def speaker_names(self) -> tuple[str, ...]:
        """The names in `speakers`."""
        return tuple(name.strip() for name in self.speakers.split(",") if name.strip())
