"""The options of each part's training, apart from the training itself, so that `--help` doesn't import torch."""

from dataclasses import dataclass
from pathlib import Path

from spiritlm_cli.options import option


@dataclass(frozen=True, kw_only=True)
class LoopOptions:
    """Options that all parts share."""

    output: Path = option(
        ..., "Checkpoint folder to write, in the release's layout.", "-o", "--output", metavar="FOLDER"
    )
    resume: bool = option(
        False,
        "Continue from the state saved in --output, with the options of that run (--steps may differ).",
    )
    overwrite: bool = option(False, "Replace what an earlier run wrote in --output.")
    seed: int = option(0, "Seed of weights, order, crops and augmentation.")
    save_every: int = option(200, "Steps between saves.")
    device: str = option("auto", "auto, cpu, cuda, cuda:N or mps.")
    bf16: bool = option(True, "Compute in bfloat16 where it is safe (weights stay float32).")


@dataclass(frozen=True, kw_only=True)
class HubertOptions(LoopOptions):
    """HuBERT: predict the label of each frame from augmented, partly masked audio."""

    manifest: Path = option(..., "Manifest of the training clips.")
    labels: Path | None = option(None, "Token lines with --keep-repeats: the labels of each clip, by id.")
    teacher: Path | None = option(
        None, "Whisper folder (CTranslate2 format): make the labels from its features first."
    )
    anchors: Path | None = option(
        None,
        "JSONL of the clips' units, as `tokenize --format jsonl --keep-repeats`: labels keep the numbering of "
        "these units, instead of that of new clusters.",
    )
    start: Path | None = option(
        None, "Weights (mhubert_base_25hz.*) to start from, instead of random ones; they set the sizes."
    )
    real: Path | None = option(
        None, "Manifest of those clips of --manifest that are recordings of people, to be drawn more often."
    )
    real_weight: float = option(3.0, "How much more often than others a clip of --real is drawn.")
    hard: bool = option(True, "Augment formants, bandwidth, codecs and clipping as well.")
    units: int = option(500, "Number of clusters, if labels are made.")
    conv: int = option(128, "Channels of the convolutions.")
    dim: int = option(256, "Width of the transformer.")
    layers: int = option(6, "Layers of the transformer.")
    heads: int = option(4, "Attention heads.")
    steps: int = option(1200, "Training steps.")
    batch: int = option(16, "Clips a step.")
    seconds: float = option(4.0, "Longest crop.")
    learning_rate: float = option(1.5e-3, "Highest learning rate.")
    mask: float = option(0.25, "Share of frames masked.")
    dropout: float = option(0.05, "Dropout in the transformer.")


@dataclass(frozen=True, kw_only=True)
class QuantizerOptions(LoopOptions):
    """Units of a trained HuBERT: k-means on its features, or linear layers by CTC against labels."""

    manifest: Path = option(..., "Manifest of the training clips.")
    kind: str = option("linear", "linear (CTC, needs --labels) or kmeans.")
    labels: Path | None = option(None, "Token lines with --keep-repeats: the labels of each clip, by id.")
    start: Path | None = option(None, "A linear quantizer's weights to start from, instead of random ones.")
    real: Path | None = option(
        None, "Manifest of those clips of --manifest that are recordings of people, to be drawn more often."
    )
    real_weight: float = option(3.0, "How much more often than others a clip of --real is drawn.")
    hard: bool = option(True, "Augment formants, bandwidth, codecs and clipping as well.")
    layer: int = option(6, "HuBERT layer whose features are quantized.")
    units: int = option(500, "Number of units.")
    steps: int = option(500, "Training steps (linear).")
    batch: int = option(16, "Clips a step.")
    seconds: float = option(4.0, "Longest crop.")
    learning_rate: float = option(2e-3, "Highest learning rate.")


@dataclass(frozen=True, kw_only=True)
class PitchOptions(LoopOptions):
    """VQ-VAE of F0."""

    manifest: Path = option(..., "Manifest of the training clips.")
    codes: int = option(64, "Size of the codebook.")
    steps: int = option(1200, "Training steps.")
    batch: int = option(32, "Clips a step.")
    seconds: float = option(2.56, "Length of a crop.")
    learning_rate: float = option(5e-4, "Highest learning rate.")
    normalize: bool = option(True, "Subtract each clip's mean voiced F0.")


@dataclass(frozen=True, kw_only=True)
class StyleOptions(LoopOptions):
    """Style: a classifier of the prosody cluster of each second."""

    manifest: Path = option(..., "Manifest of the training clips.")
    styles: int = option(100, "Number of styles.")
    conv: int = option(48, "Channels of the convolutions.")
    dim: int = option(128, "Width of the transformer.")
    layers: int = option(3, "Layers of the transformer.")
    heads: int = option(4, "Attention heads.")
    steps: int = option(1200, "Training steps.")
    batch: int = option(16, "Clips a step.")
    seconds: float = option(4.0, "Longest crop.")
    learning_rate: float = option(6e-4, "Highest learning rate.")


@dataclass(frozen=True, kw_only=True)
class VocoderOptions(LoopOptions):
    """HiFi-GAN with its duration predictor, from audio and its units."""

    manifest: Path = option(..., "Manifest of the training clips, with speakers.")
    units: Path = option(..., "JSONL of the clips' units, as `tokenize --format jsonl --keep-repeats`.")
    speakers: str = option(
        "", "Names of the speakers, in order, with commas between (empty: all of the manifest)."
    )
    start: Path | None = option(None, "Weights (generator.*) to start from, instead of random ones.")
    channels: int = option(256, "Channels before the first upsampling.")
    embedding: int = option(64, "Width of each embedding.")
    steps: int = option(10000, "Training steps.")
    adversarial_from: int = option(10000, "First step with discriminators (--steps or more: none).")
    batch: int = option(16, "Crops a step.")
    frames: int = option(14, "Length of a crop, in units of 40 ms.")
    learning_rate: float = option(8e-4, "Highest learning rate.")


@dataclass(frozen=True, kw_only=True)
class LanguageModelOptions(LoopOptions):
    """The language model, from texts, token lines, and clips with their units and words."""

    manifest: Path | None = option(None, "Manifest of clips with text; words without times are aligned.")
    units: Path | None = option(
        None, "JSONL of the clips' units, as `tokenize --format jsonl --keep-repeats`."
    )
    text: Path | None = option(None, "Plain text, a document a line.")
    lines: Path | None = option(None, "Token lines to train on as they are.")
    start: Path | None = option(
        None, "Weights (model.safetensors, tokenizer.model beside it) to start from, instead of random ones."
    )
    save_every: int = option(100, "Steps between saves.")
    vocabulary: int = option(2048, "Text pieces of a new vocabulary.")
    dim: int = option(256, "Width of the model.")
    layers: int = option(8, "Layers.")
    heads: int = option(4, "Attention heads.")
    ffn: int = option(768, "Width of the feed-forward layers.")
    words: int = option(40, "Words of the longest parallel pair of speech and text.")
    phones: Path | None = option(
        None,
        "JSONL of the clips' phones, aligned and written if it doesn't exist: make pairs for --text by unit "
        "selection.",
    )
    selected: float = option(
        0.75, "Share of the parallel pairs that are made by unit selection, with --phones."
    )
    phonetic: float = option(0.0, "Share of the parallel sequences without pitch and style units.")
    attention: float = option(
        0.0,
        "Initial weight of the loss on attention to the same word in the other modality; it falls to zero.",
    )
    workers: int = option(0, "Processes that draw training sequences in advance (0: none).")
    compile: bool = option(
        False, "Compile the network, which takes two minutes and makes a step a quarter shorter."
    )
    context: int = option(512, "Tokens a training sequence.")
    steps: int = option(1500, "Training steps.")
    batch: int = option(8, "Sequences a step.")
    learning_rate: float = option(1.5e-3, "Highest learning rate.")
