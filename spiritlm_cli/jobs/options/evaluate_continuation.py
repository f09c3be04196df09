"""Options of `spiritlm evaluate continuation`."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.evaluate import EvaluateOptions, language_model_dtype_option, top_p_option
from spiritlm_cli.jobs.options.judges import asr_option, require_judge, text_lm_option
from spiritlm_cli.jobs.options.parts import LanguageModelPart, TokenizerPart, VocoderPart
from spiritlm_cli.jobs.options.shared import EXECUTION, Dtype
from spiritlm_cli.options import option

Form = Literal["gslm", "slamkit"]
TokenKind = Literal["regex", "nltk"]


def parse_temperatures(text: str) -> tuple[float, ...]:
    """`0.3,0.8` as (0.3, 0.8). Raises OptionError for anything but different numbers above 0."""
    try:
        values = tuple(map(float, text.split(",")))
    except ValueError:
        values = ()
    if not values or not all(0 < value < 100 for value in values) or len(set(values)) < len(values):
        raise OptionError(f"temperatures are different numbers above 0, joined by commas, not {text!a}")
    return values


@dataclass(frozen=True, kw_only=True)
class ContinuationOptions(TokenizerPart, LanguageModelPart, VocoderPart, EvaluateOptions):
    """Options of `spiritlm evaluate continuation`."""

    task: ClassVar[str] = "continuation"

    path: Path = option(
        ...,
        "Folder of clips, such as a set of LibriSpeech or of Spoken StoryCloze; or a manifest.",
        metavar="FOLDER|FILE",
        argument=True,
        reads=True,
        group="input",
    )
    form: Form = option(
        "gslm",
        "Which clips, how long continuations are, and how texts are compared. gslm: the shortest clips of at least "
        "6 s, each continued to its length, in lower case; slamkit: the first clips, those of right endings where "
        "names say so, 150 tokens, top-k 25.",
        group="task",
    )
    limit: int | None = option(
        None, "Use only the first N clips, each at all temperatures.", metavar="N", minimum=1, group="input"
    )
    clips: int = option(1000, "Maximum number of clips.", minimum=1, group="input")
    prompt_seconds: float = option(
        3.0, "Seconds of a clip that are the prompt.", minimum=0, above=True, group="task"
    )
    temperatures: tuple[float, ...] = option(
        (0.8,),
        "Sampling temperatures, joined by commas; each is a row of the result.",
        metavar="T,T,…",
        parse=parse_temperatures,
        default_text="0.8",
        group="sampling",
    )
    original: bool = option(
        True, "Also evaluate the clips themselves, as their own continuations.", group="task"
    )
    top_p: float | None = top_p_option(None, "0.95 for gslm, else 1")
    top_k: int | None = option(
        None,
        "Draw from the K most likely tokens; 0 is all.",
        metavar="K",
        minimum=0,
        default_text="25 for slamkit, else 0",
        group="sampling",
    )
    max_new_tokens: int | None = option(
        None,
        "Maximum number of generated tokens.",
        minimum=1,
        default_text="150 for slamkit, else as many as the rest of the clip has",
        group="continuation",
    )
    tokens: TokenKind = option(
        "regex",
        "Words of slamkit's auto-BLEU. regex: letters and digits, or one mark; nltk: of NLTK's tokenizer, as slamkit.",
        group="scoring",
    )
    save_audio: Path | None = option(
        None,
        "Also write each prompt with its continuation to this folder, as WAV.",
        metavar="FOLDER",
        group="output",
        execution=True,
        writes="folder",
    )
    asr: str = asr_option()
    text_lm: Path | None = text_lm_option()
    seed: int = option(0, "Random seed.", metavar="N", minimum=0, group="sampling")
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

    def check(self) -> None:
        """Raise OptionError without a text language model, OSError if the input does not exist."""
        super().check()
        if str(self.path) != "-":
            self.path.stat()
        require_judge(self.text_lm, "--text-lm", "the perplexity of transcripts", "meta-llama/Llama-3.2-1B")
