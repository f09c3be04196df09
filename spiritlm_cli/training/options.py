"""Options of `spiritlm train`, one dataclass for each part. No torch, so that `--help` is fast."""

from dataclasses import dataclass
from pathlib import Path

from spiritlm_cli.options import option


@dataclass(frozen=True, kw_only=True)
class LoopOptions:
    """Options that all parts share."""

    output: Path = option(
        ...,
        "Checkpoint folder to write, in the layout that --model reads.",
        "-o",
        "--output",
        metavar="FOLDER",
    )
    resume: bool = option(
        False,
        "Continue from the state saved in --output, with the same options (--steps and --learning-rate may differ).",
    )
    overwrite: bool = option(False, "Replace the weights and the state of an earlier run in --output.")
    seed: int = option(0, "Seed of initial weights, batches, crops and augmentation.")
    save_every: int = option(200, "Steps between two saves of weights and state.")
    device: str = option("auto", "auto, cpu, cuda, cuda:N or mps.")
    bf16: bool = option(True, "Compute in mixed precision with bfloat16; weights stay float32.")


@dataclass(frozen=True, kw_only=True)
class HubertOptions(LoopOptions):
    """Train HuBERT to predict the label of each frame from augmented, partly masked audio."""

    manifest: Path = option(..., "Manifest of the training clips.")
    labels: Path | None = option(None, "Token lines with --keep-repeats: the labels of each clip, by id.")
    teacher: Path | None = option(
        None,
        "Without --labels: Whisper model (folder in CTranslate2 format) whose features are clustered as labels.",
    )
    anchors: Path | None = option(
        None,
        "With --teacher: JSONL of the clips' units, as `tokenize --format jsonl --keep-repeats`. The labels are these "
        "units, each around the mean feature of its frames, instead of new clusters.",
    )
    start: Path | None = option(
        None,
        "Initial weights (mhubert_base_25hz.*); their sizes override --conv, --dim, --layers and --heads.",
    )
    real: Path | None = option(
        None,
        "Manifest of the clips in --manifest that are real recordings, not synthetic, to sample more often.",
    )
    real_weight: float = option(3.0, "Sampling weight of a clip of --real; other clips have 1.")
    hard: bool = option(True, "Also augment formants, bandwidth, codecs and clipping.")
    units: int = option(500, "Number of clusters, with --teacher and without --anchors.")
    conv: int = option(128, "Channels of the convolutions.")
    dim: int = option(256, "Width of the transformer.")
    layers: int = option(6, "Layers of the transformer.")
    heads: int = option(4, "Attention heads.")
    steps: int = option(1200, "Training steps.")
    batch: int = option(16, "Clips in a batch.")
    seconds: float = option(4.0, "Longest crop, in seconds.")
    learning_rate: float = option(1.5e-3, "Peak learning rate.")
    mask: float = option(0.25, "Share of the frames that are masked.")
    dropout: float = option(0.05, "Dropout rate in the transformer.")


@dataclass(frozen=True, kw_only=True)
class QuantizerOptions(LoopOptions):
    """Train a quantizer of HuBERT features: linear layers by CTC against labels, or k-means."""

    manifest: Path = option(..., "Manifest of the training clips.")
    kind: str = option("linear", "linear (trained by CTC, needs --labels) or kmeans.")
    labels: Path | None = option(None, "Token lines with --keep-repeats: the labels of each clip, by id.")
    start: Path | None = option(None, "Initial weights of a linear quantizer, instead of random ones.")
    real: Path | None = option(
        None,
        "Manifest of the clips in --manifest that are real recordings, not synthetic, to sample more often.",
    )
    real_weight: float = option(3.0, "Sampling weight of a clip of --real; other clips have 1.")
    hard: bool = option(True, "Also augment formants, bandwidth, codecs and clipping.")
    layer: int = option(6, "HuBERT layer whose features are quantized.")
    units: int = option(500, "Number of units.")
    steps: int = option(500, "Training steps of a linear quantizer.")
    batch: int = option(16, "Clips in a batch.")
    seconds: float = option(4.0, "Longest crop, in seconds.")
    learning_rate: float = option(2e-3, "Peak learning rate.")


@dataclass(frozen=True, kw_only=True)
class PitchOptions(LoopOptions):
    """Train the VQ-VAE whose codes are the pitch units, on F0."""

    manifest: Path = option(..., "Manifest of the training clips.")
    codes: int = option(64, "Size of the codebook.")
    steps: int = option(1200, "Training steps.")
    batch: int = option(32, "Clips in a batch.")
    seconds: float = option(2.56, "Length of a crop, in seconds.")
    learning_rate: float = option(5e-4, "Peak learning rate.")
    normalize: bool = option(True, "Subtract the mean F0 of each clip's voiced frames.")


@dataclass(frozen=True, kw_only=True)
class StyleOptions(LoopOptions):
    """Train the classifier of style units: the prosody cluster of each second of audio."""

    manifest: Path = option(..., "Manifest of the training clips.")
    styles: int = option(100, "Number of styles.")
    conv: int = option(48, "Channels of the convolutions.")
    dim: int = option(128, "Width of the transformer.")
    layers: int = option(3, "Layers of the transformer.")
    heads: int = option(4, "Attention heads.")
    steps: int = option(1200, "Training steps.")
    batch: int = option(16, "Clips in a batch.")
    seconds: float = option(4.0, "Longest crop, in seconds.")
    learning_rate: float = option(6e-4, "Peak learning rate.")


@dataclass(frozen=True, kw_only=True)
class VocoderOptions(LoopOptions):
    """Train HiFi-GAN and its duration predictor on audio and its units."""

    manifest: Path = option(..., "Manifest of the training clips, with speakers.")
    units: Path = option(..., "JSONL of the clips' units, as `tokenize --format jsonl --keep-repeats`.")
    speakers: str = option(
        "",
        "Speakers to train, in the order of their ids, separated by commas (default: all of the manifest, sorted).",
    )
    start: Path | None = option(None, "Initial weights (generator.*), instead of random ones.")
    channels: int = option(256, "Channels before the first upsampling layer.")
    embedding: int = option(64, "Width of the embeddings of units and speakers.")
    steps: int = option(10000, "Training steps.")
    adversarial_from: int = option(
        10000, "First step that uses the discriminators (--steps or more: none does)."
    )
    batch: int = option(16, "Crops in a batch.")
    frames: int = option(14, "Length of a crop, in frames of 40 ms.")
    learning_rate: float = option(8e-4, "Peak learning rate.")


@dataclass(frozen=True, kw_only=True)
class LanguageModelOptions(LoopOptions):
    """Train the language model on texts, token lines, and clips with their units and words."""

    manifest: Path | None = option(
        None, "Manifest of clips with text; clips without word times are aligned first."
    )
    units: Path | None = option(
        None, "JSONL of the clips' units, as `tokenize --format jsonl --keep-repeats`."
    )
    text: Path | None = option(None, "Text file, one document per line.")
    lines: Path | None = option(None, "Token lines, used as training sequences unchanged.")
    start: Path | None = option(
        None,
        "Initial weights (model.safetensors with tokenizer.model in the same folder), instead of random ones.",
    )
    save_every: int = option(100, "Steps between two saves of weights and state.")
    vocabulary: int = option(2048, "Number of text pieces in a new vocabulary.")
    dim: int = option(256, "Hidden size.")
    layers: int = option(8, "Number of layers.")
    heads: int = option(4, "Attention heads.")
    ffn: int = option(768, "Hidden size of the feed-forward layers.")
    words: int = option(40, "Largest number of words in a parallel pair of speech and text.")
    phones: Path | None = option(
        None,
        "JSONL of the clips' aligned phones; written first if it does not exist. Parallel pairs for --text are then "
        "made by unit selection.",
    )
    selected: float = option(
        0.75, "With --phones: share of the parallel pairs that are made by unit selection."
    )
    phonetic: float = option(0.0, "Share of the parallel pairs without pitch and style units.")
    attention: float = option(
        0.0,
        "Initial weight of the loss on attention to the same word in the other modality; it decreases linearly to 0.",
    )
    workers: int = option(
        0, "Processes that prepare batches in advance (0: the training process prepares them)."
    )
    compile: bool = option(
        False, "Compile the network: takes two minutes, then each step takes a quarter less time."
    )
    context: int = option(512, "Tokens in a training sequence.")
    steps: int = option(1500, "Training steps.")
    batch: int = option(8, "Sequences in a batch.")
    learning_rate: float = option(1.5e-3, "Peak learning rate.")
