"""Options of `spiritlm evaluate stsp`."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from spiritlm_cli.errors import OptionError
from spiritlm_cli.evaluation.stsp_directions import DIRECTIONS, Direction, LabelName, Split, output_of
from spiritlm_cli.jobs.options.evaluate import (
    EvaluateOptions,
    language_model_dtype_option,
    temperature_option,
    top_p_option,
)
from spiritlm_cli.jobs.options.inspect import check_folder
from spiritlm_cli.jobs.options.judges import (
    require_judge,
    speech_classifier_option,
    text_classifier_option,
)
from spiritlm_cli.jobs.options.parts import LanguageModelPart, TokenizerPart, VocoderPart
from spiritlm_cli.jobs.options.shared import EXECUTION, Dtype
from spiritlm_cli.options import option

_TEXT_EXAMPLE = "j-hartmann/sentiment-roberta-large-english-3-classes"


@dataclass(frozen=True, kw_only=True)
class StspOptions(TokenizerPart, LanguageModelPart, VocoderPart, EvaluateOptions):
    """Options of `spiritlm evaluate stsp`."""

    task: ClassVar[str] = "stsp"

    path: Path = option(
        ...,
        "Folder of STSP, with the folders data and manifest; or one manifest, JSONL.",
        metavar="FOLDER|JSONL",
        argument=True,
        reads=True,
        group="input",
    )
    directions: tuple[str, ...] = option(
        (),
        "Only this direction: TT, TS, ST or SS, first the input and then its continuation, as text (T) or speech (S); "
        "may be repeated.",
        "--direction",
        metavar="TT|TS|ST|SS",
        default_text="all four",
        group="task",
    )
    split: Split = option("test", "Split of the sets in a folder.", group="input")
    runs: int = option(
        3, "Number of continuations of each input, with the seeds N, N + 1, …", minimum=1, group="task"
    )
    shots: int = option(
        0,
        "Number of solved examples before each input, rounded up to as many of each sentiment.",
        minimum=0,
        group="few-shot",
    )
    examples: Path | None = option(
        None,
        "Folder with the files of solved examples, t2t.jsonl to s2s.jsonl.",
        metavar="FOLDER",
        default_text="manifest/few_shot of the data",
        path=True,
        group="few-shot",
    )
    as_released: bool = option(
        False,
        "Imitate the faults of the released scripts: with examples, leave out the input; generate up to 300 tokens "
        "from text to speech; of predictions, leave out references without one.",
        group="task",
    )
    score_only: Path | None = option(
        None,
        "Compare the predictions in this file with the labels of a manifest, without a model.",
        metavar="JSONL",
        path=True,
        group="input",
    )
    label: LabelName = option("sentiment", "With --score-only: the label of the manifest.", group="task")
    predictions: Path | None = option(
        None,
        "Also write the predictions of each direction, set and run to this folder, and the records that they are of, "
        "in the form of the release.",
        metavar="FOLDER",
        group="output",
        execution=True,
        writes="folder",
    )
    plot: Path | None = option(
        None,
        "Also plot the accuracy of each direction and what was predicted of each sentiment. Extra: plot.",
        metavar="FILE.png|FILE.svg",
        group="output",
        execution=True,
        writes="text",
    )
    save_audio: Path | None = option(
        None,
        "Also write the speech of each continuation to this folder, as WAV.",
        metavar="FOLDER",
        group="output",
        execution=True,
        writes="folder",
    )
    text_classifier: Path | None = text_classifier_option("sentiment")
    speech_classifier: Path | None = speech_classifier_option("sentiment or emotion")
    temperature: float = temperature_option()
    top_p: float = top_p_option(0.95)
    max_new_tokens: int | None = option(
        None,
        "Maximum number of generated tokens in each direction.",
        minimum=1,
        default_text="50 to text, 200 from text to speech, 300 from speech to speech",
        group="continuation",
    )
    seed: int = option(0, "Random seed of the first run.", metavar="N", minimum=0, group="sampling")
    speaker: str | None = option(
        None, "Voice, by name or index.", metavar="NAME|N", default_text="the model's", group="speech"
    )
    batch_size: int = option(
        16,
        "Number of continuations in a batch. Does not change the results on a CPU.",
        minimum=1,
        **EXECUTION,
    )
    dtype: Dtype | None = language_model_dtype_option()

    @property
    def selected_directions(self) -> tuple[Direction, ...]:
        """The directions to evaluate, in their order."""
        return tuple(name for name in DIRECTIONS if not self.directions or _shown(name) in self.directions)

    def check(self) -> None:
        """Raise OptionError for options that can't be combined or lack a judge, OSError if the input does not exist."""
        super().check()
        self.path.stat()
        if unknown := sorted(set(self.directions) - set(map(_shown, DIRECTIONS))):
            raise OptionError(f"TT, TS, ST or SS, not {unknown[0]}", "--direction")
        if self.plot and self.plot.suffix.lower() not in (".png", ".svg"):
            raise OptionError(f"{self.plot}: name a .png or .svg file", "--plot")
        check_folder("--plot", self.plot)
        if self.score_only:
            self.score_only.stat()
            excluded = {
                "--direction": self.directions, "--shots": self.shots, "--examples": self.examples,
                "--predictions": self.predictions, "--save-audio": self.save_audio, "--plot": self.plot,
            }  # fmt: skip
            for flag, value in excluded.items():
                if value:
                    raise OptionError("is for continuations of a model, and excludes --score-only", flag)
            if not self.path.is_file():
                raise OptionError("needs the manifest with the labels, a file", "--score-only")
            return
        if self.predictions and self.shard:
            raise OptionError("is written of all items, and excludes --shard", "--predictions")
        if self.examples and not self.shots:
            raise OptionError("needs --shots", "--examples")
        if self.label != "sentiment":
            raise OptionError("is for --score-only; continuations are compared by sentiment", "--label")
        outputs = {output_of(direction) for direction in self.selected_directions}
        if "text" in outputs:
            require_judge(self.text_classifier, "--text-classifier", "the sentiment of text", _TEXT_EXAMPLE)
        if "speech" in outputs:
            require_judge(self.speech_classifier, "--speech-classifier", "the sentiment of speech", None)


def _shown(direction: Direction) -> str:
    """A direction as `--direction` names it: `t2s` as `TS`."""
    return direction.replace("2", "").upper()
