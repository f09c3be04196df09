"""Options of `spiritlm train units`. No torch, so that `--help` is fast."""

from dataclasses import dataclass
from pathlib import Path

from spiritlm_cli.errors import OptionError
from spiritlm_cli.options import option

_LAYER = 6


@dataclass(frozen=True, kw_only=True)
class UnitsOptions:
    """Cluster the frames of clips by k-means, label them with their clusters, and print how good these units are."""

    manifest: Path = option(..., "Manifest of the clips.", group="input")
    features: str = option(
        "mfcc",
        "What is clustered: mfcc (39 numbers a frame, for the first HuBERT) or hubert (a layer of a trained one).",
        group="input",
        metavar="mfcc|hubert",
    )
    hubert: Path | None = option(
        None,
        "With --features hubert: weights (mhubert_base_25hz.*, or the Hugging Face folder of a HuBERT). "
        "Default: the HuBERT in --output, whose quantizer the clusters become.",
        group="input",
    )
    phones: Path | None = option(
        None,
        "JSONL of the clips' phones, which the report compares the units with; if the file does not exist, the clips "
        "with text are aligned and it is written.",
        group="input",
    )
    layer: int = option(_LAYER, "With --features hubert: the layer, from 1.", group="network", minimum=1)
    rate: int | None = option(
        None,
        "Labels per second (default: 25 for MFCCs, for a HuBERT its frames). From a HuBERT with twice as many frames, "
        "the means of two are clustered.",
        group="network",
        metavar="25|50|100",
        minimum=1,
    )
    clusters: int = option(500, "Number of clusters.", group="training", minimum=1)
    hours: float | None = option(
        None,
        "Train k-means on this many hours, of clips drawn at random (default: on all). All clips are labeled.",
        group="training",
        metavar="HOURS",
        minimum=0,
        above=True,
    )
    seed: int = option(0, "Seed of the sample of frames and of k-means.", group="training", minimum=0)
    output: Path = option(
        ...,
        "Checkpoint folder to write the clusters to, in the layout that --model reads.",
        "-o",
        "--output",
        metavar="FOLDER",
        group="output",
    )
    labels: Path | None = option(
        None,
        "File to write the clips' labels to, token lines for `train hubert --labels` "
        "(default: training/labels.txt in --output).",
        group="output",
    )
    overwrite: bool = option(False, "Replace clusters and labels that are there.", group="output")
    as_json: bool = option(
        False, "Print the report as one JSON object instead of a table.", "--json", group="output"
    )
    device: str = option("auto", "Device to compute on.", group="execution", metavar="auto|cpu|cuda[:N]|mps")

    def check(self) -> None:
        """Raise OptionError for options that are not known, or that contradict each other."""
        if self.features not in ("mfcc", "hubert"):
            raise OptionError(f"is mfcc or hubert, not {self.features}", "--features")
        if self.features == "mfcc" and self.hubert:
            raise OptionError("needs --features hubert", "--hubert")
        if self.features == "mfcc" and self.layer != _LAYER:
            raise OptionError("needs --features hubert", "--layer")
        if self.rate not in (None, 25, 50, 100):
            raise OptionError(f"is 25, 50 or 100, not {self.rate}", "--rate")
        inputs = {path.resolve() for path in (self.manifest, self.hubert, self.phones) if path}
        if self.labels and self.labels.resolve() in inputs:
            raise OptionError(f"is {self.labels}, which is also an input", "--labels")
