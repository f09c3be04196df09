"""Options of `spiritlm train`, one dataclass for each part. No torch, so that `--help` is fast."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spiritlm_cli.errors import OptionError
from spiritlm_cli.options import option

# Groups of the convolution that encodes positions, in HuBERT and in the style encoder.
POSITION_GROUPS = 16
# Changes of speech that augmentation-invariant units are trained with and measured on.
PERTURBATIONS = ("stretch", "pitch", "reverb", "noise")


def check_heads(dim: int, heads: int, multiple: int = 1) -> None:
    """Raise OptionError unless a width is a multiple of a number, and the heads divide it."""
    if dim % multiple:
        raise OptionError(f"is {dim}, which is no multiple of {multiple}", "--dim")
    if dim % heads:
        raise OptionError(f"is {heads}, which doesn't divide the width of {dim} (--dim)", "--heads")


@dataclass(frozen=True, kw_only=True)
class LoopOptions:
    """Options that all parts share."""

    output: Path = option(
        ...,
        "Checkpoint folder to write, in the layout that --model reads.",
        "-o",
        "--output",
        metavar="FOLDER",
        group="output",
    )
    resume: bool = option(
        False,
        "Continue from the state saved in --output, with the same options (--steps and --learning-rate may differ).",
        group="output",
    )
    overwrite: bool = option(
        False, "Replace the weights and the state of an earlier run in --output.", group="output"
    )
    seed: int = option(
        0, "Seed of initial weights, batches, crops and augmentation.", group="training", minimum=0
    )
    save_every: int = option(200, "Steps between two saves of weights and state.", group="output", minimum=1)
    accumulate: int = option(
        1,
        "Batches of a step, in each process: their gradients are averaged. The memory is that of one batch.",
        group="training",
        minimum=1,
    )
    tensorboard: bool = option(
        True, "Write event files for TensorBoard to OUTPUT/training, if it is installed.", group="output"
    )
    wandb: str | None = option(
        None, "Project of Weights & Biases that the run is logged to.", group="output", metavar="PROJECT"
    )
    device: str = option("auto", "Device to compute on.", group="execution", metavar="auto|cpu|cuda[:N]|mps")
    bf16: bool = option(
        True,
        "Compute in mixed precision with bfloat16; weights stay float32. On a CPU, convolutions of groups of fewer "
        "than 16 channels compute in float32.",
        group="execution",
    )

    def check(self) -> None:
        """Raise OptionError for options that contradict each other."""
        if self.resume and self.overwrite:
            raise OptionError("can't be given with --resume", "--overwrite")


@dataclass(frozen=True, kw_only=True)
class HubertOptions(LoopOptions):
    """Train HuBERT to predict the label of each frame from augmented, partly masked audio."""

    manifest: Path = option(..., "Manifest of the training clips.", group="input")
    labels: Path | None = option(
        None, "Token lines with --keep-repeats: one label for each frame of each clip, by id.", group="input"
    )
    teacher: Path | None = option(
        None,
        "Instead of --labels: Whisper model (folder in CTranslate2 format) whose features are clustered as labels.",
        group="input",
        metavar="FOLDER",
    )
    anchors: Path | None = option(
        None,
        "With --teacher: JSONL of the clips' units, as `tokenize --format jsonl`. The labels are these "
        "units, each around the mean feature of its frames, instead of new clusters.",
        group="input",
    )
    start: Path | None = option(
        None,
        "Initial weights (mhubert_base_25hz.*, or the Hugging Face folder of a HuBERT); their sizes override those of "
        "the options.",
        group="input",
    )
    rate: int = option(
        25,
        "Frames and labels per second. --start may have twice as many: it gets one more convolution, of stride 2. "
        "50 is for the first iterations; tokenizers have 25.",
        group="network",
        metavar="25|50",
        minimum=1,
    )
    real: Path | None = option(
        None,
        "Manifest of the clips in --manifest that are real recordings, not synthetic, to sample more often.",
        group="input",
    )
    real_weight: float = option(
        3.0,
        "Sampling weight of a clip of --real; other clips have 1.",
        group="training",
        minimum=0,
        above=True,
    )
    augment: bool = option(
        True,
        "Augment speed, room, equalization, level and noise. Labels of MFCCs depend on these: --no-augment.",
        group="training",
    )
    hard: bool = option(True, "Also augment formants, bandwidth, codecs and clipping.", group="training")
    units: int = option(
        500, "Number of clusters, with --teacher and without --anchors.", group="network", minimum=1
    )
    conv: int = option(128, "Channels of the convolutions.", group="network", minimum=1)
    dim: int = option(256, "Width of the transformer.", group="network", minimum=1)
    layers: int = option(6, "Layers of the transformer.", group="network", minimum=1)
    heads: int = option(4, "Attention heads.", group="network", minimum=1)
    position_kernel: int = option(
        32,
        "Width of the convolution that encodes positions, in frames; 128 in HuBERT base.",
        group="network",
        minimum=1,
    )
    steps: int = option(1200, "Training steps.", group="training", minimum=1)
    batch: int = option(16, "Clips in a batch.", group="training", minimum=1)
    seconds: float = option(
        4.0, "Longest crop, in seconds.", group="training", metavar="SECONDS", minimum=0.5
    )
    learning_rate: float = option(1.5e-3, "Peak learning rate.", group="training", minimum=0, above=True)
    mask: float = option(0.25, "Share of the frames that are masked.", group="training", minimum=0, maximum=1)
    unmasked: float = option(
        1.0,
        "Weight of the loss of frames that are not masked; 0 is masked prediction alone.",
        group="training",
        minimum=0,
    )
    dropout: float = option(0.05, "Dropout rate in the transformer.", group="training", minimum=0, maximum=1)

    def check(self) -> None:
        """Raise OptionError for sizes that make no network, and for options that leave nothing to learn."""
        super().check()
        if bool(self.labels) == bool(self.teacher):
            raise OptionError("needs either --labels, or --teacher to make them")
        if self.anchors and not self.teacher:
            raise OptionError("needs --teacher", "--anchors")
        if self.rate not in (25, 50):
            raise OptionError(f"is 25 or 50, not {self.rate}", "--rate")
        if not self.unmasked and not self.mask:
            raise OptionError("is 0, so that without --mask no frame has a loss", "--unmasked")
        check_heads(self.dim, self.heads, POSITION_GROUPS)


@dataclass(frozen=True, kw_only=True)
class QuantizerOptions(LoopOptions):
    """Train a quantizer of HuBERT features: linear layers, by CTC on augmented audio."""

    manifest: Path = option(..., "Manifest of the training clips.", group="input")
    labels: Path | None = option(
        None, "Token lines with --keep-repeats: one label for each frame of each clip, by id.", group="input"
    )
    teacher: Path | None = option(
        None,
        "Instead of --labels: quantizer of the same HuBERT, whose units of the audio as it is are the labels, such as "
        "the centers that `train units` writes.",
        group="input",
    )
    test: Path | None = option(
        None,
        "Manifest of the clips whose units the report compares with those of changed speech (default: the first 20 of "
        "--manifest).",
        group="input",
    )
    start: Path | None = option(
        None, "Initial weights: those of a quantizer that this command wrote.", group="input"
    )
    real: Path | None = option(
        None,
        "Manifest of the clips in --manifest that are real recordings, not synthetic, to sample more often.",
        group="input",
    )
    real_weight: float = option(
        3.0,
        "Sampling weight of a clip of --real; other clips have 1.",
        group="training",
        minimum=0,
        above=True,
    )
    iterations: int = option(
        1,
        "Trainings of --steps steps: the labels of the second are the units of the first's quantizer, and so on.",
        group="training",
        minimum=1,
    )
    augmentations: str = option(
        "",
        "Draw one of these for each batch: stretch (speed 0.8 to 1.2), pitch (±4 semitones), reverb, noise (5 to 15 dB "
        "SNR). Default: speed, room, equalization, level and noise at once, and those of --hard.",
        group="training",
        metavar="NAME,…",
    )
    hard: bool = option(True, "Also augment formants, bandwidth, codecs and clipping.", group="training")
    layer: int = option(6, "HuBERT layer whose features are quantized.", group="network", minimum=1)
    units: int = option(500, "Number of units.", group="network", minimum=1)
    steps: int = option(500, "Training steps in each iteration.", group="training", minimum=1)
    batch: int = option(16, "Clips in a batch.", group="training", minimum=1)
    seconds: float = option(
        4.0, "Longest crop, in seconds.", group="training", metavar="SECONDS", minimum=0.5
    )
    learning_rate: float = option(2e-3, "Peak learning rate.", group="training", minimum=0, above=True)
    as_json: bool = option(
        False, "Print the report as one JSON object instead of a table.", "--json", group="output"
    )

    @property
    def perturbations(self) -> tuple[str, ...]:
        """The names in `augmentations`."""
        return tuple(name.strip() for name in self.augmentations.split(",") if name.strip())

    def check(self) -> None:
        """Raise OptionError for augmentations that are not known, and without labels."""
        super().check()
        if bool(self.labels) == bool(self.teacher):
            raise OptionError("needs either --labels or --teacher")
        for name in self.perturbations:
            if name not in PERTURBATIONS:
                raise OptionError(f"has {name}; known are {', '.join(PERTURBATIONS)}", "--augmentations")


@dataclass(frozen=True, kw_only=True)
class PitchOptions(LoopOptions):
    """Train the VQ-VAE whose codes are the pitch units, on F0."""

    manifest: Path = option(..., "Manifest of the training clips.", group="input")
    f0: Literal["fcpe", "pyaapt"] = option(
        "fcpe",
        "F0 tracker: fcpe, or pyaapt, which Spirit LM's was trained on and which takes about as long as the audio.",
        group="input",
    )
    codes: int = option(64, "Size of the codebook.", group="network", minimum=1)
    steps: int = option(1200, "Training steps.", group="training", minimum=1)
    batch: int = option(32, "Clips in a batch.", group="training", minimum=1)
    seconds: float = option(
        2.56, "Length of a crop, in seconds.", group="training", metavar="SECONDS", minimum=0.08
    )
    learning_rate: float = option(5e-4, "Peak learning rate.", group="training", minimum=0, above=True)
    normalize: bool = option(True, "Subtract the mean F0 of each clip's voiced frames.", group="training")


@dataclass(frozen=True, kw_only=True)
class StyleOptions(LoopOptions):
    """Train the classifier of style units: the prosody cluster of each second of audio."""

    manifest: Path = option(..., "Manifest of the training clips.", group="input")
    styles: int = option(100, "Number of styles.", group="network", minimum=1)
    conv: int = option(48, "Channels of the convolutions.", group="network", minimum=1)
    dim: int = option(128, "Width of the transformer.", group="network", minimum=1)
    layers: int = option(3, "Layers of the transformer.", group="network", minimum=1)
    heads: int = option(4, "Attention heads.", group="network", minimum=1)
    steps: int = option(1200, "Training steps.", group="training", minimum=1)
    batch: int = option(16, "Clips in a batch.", group="training", minimum=1)
    seconds: float = option(4.0, "Longest crop, in seconds.", group="training", metavar="SECONDS", minimum=1)
    learning_rate: float = option(6e-4, "Peak learning rate.", group="training", minimum=0, above=True)

    def check(self) -> None:
        """Raise OptionError for sizes that make no network."""
        super().check()
        check_heads(self.dim, self.heads, POSITION_GROUPS)
