"""Options of `spiritlm evaluate similarity`."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.align import aligner_option, alignments_option
from spiritlm_cli.jobs.options.evaluate import EvaluateOptions, language_model_dtype_option
from spiritlm_cli.jobs.options.inspect import check_folder
from spiritlm_cli.jobs.options.parts import LanguageModelPart, TokenizerPart
from spiritlm_cli.jobs.options.shared import Dtype, batch_seconds_option, workers_option
from spiritlm_cli.options import option


@dataclass(frozen=True, kw_only=True)
class SimilarityOptions(TokenizerPart, LanguageModelPart, EvaluateOptions):
    """Options of `spiritlm evaluate similarity`."""

    task: ClassVar[str] = "similarity"

    data: Path = option(
        ...,
        "Recordings with their texts: a manifest, a folder in LibriSpeech's layout, or a folder with texts beside the "
        "audio.",
        metavar="MANIFEST|FOLDER",
        argument=True,
        reads=True,
        group="input",
    )
    alignments: Path | None = alignments_option()
    aligner: str = aligner_option(
        "pocketsphinx|FOLDER",
        "Aligner for clips without word times: pocketsphinx (US English), or the Hugging Face folder of a CTC model.",
    )
    plot: Path | None = option(
        None,
        "Also plot the similarities over layers. Extra: plot.",
        metavar="FILE.png|FILE.svg",
        group="output",
        execution=True,
        writes="text",
    )
    compare: tuple[Path, ...] = option(
        (),
        "In the plot, also show these runs: files that --items wrote for other models. May be repeated.",
        metavar="FILE",
        group="output",
        execution=True,
        reads=True,
    )
    matrix: Path | None = option(
        None,
        "Also plot the cosines of all pieces and units of the first clip. Extra: plot.",
        metavar="FILE.png|FILE.svg",
        group="output",
        execution=True,
        writes="text",
    )
    matrix_layer: int | None = option(
        None,
        "Layer of --matrix; 0 is the embeddings.",
        metavar="N",
        minimum=0,
        default_text="that of the largest gap",
        group="output",
        execution=True,
    )
    dtype: Dtype | None = language_model_dtype_option()
    batch_seconds: float | None = batch_seconds_option()
    workers: int = workers_option()

    def check(self) -> None:
        """Raise OptionError for options that can't be combined, OSError if an input does not exist."""
        super().check()
        self.data.stat()
        for path in self.compare:
            path.stat()
        if self.compare and not self.plot:
            raise OptionError("is for --plot", "--compare")
        if self.matrix_layer is not None and not self.matrix:
            raise OptionError("is for --matrix", "--matrix-layer")
        for flag, plot in (("--plot", self.plot), ("--matrix", self.matrix)):
            if plot and plot.suffix.lower() not in (".png", ".svg"):
                raise OptionError(f"{plot}: name a .png or .svg file", flag)
            check_folder(flag, plot)
