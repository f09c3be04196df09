"""Options of the tasks of `spiritlm evaluate` that the language model answers: asr, tts and intent."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from spiritlm_cli.english.normalizers import NormalizerName
from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.clip_data import ClipDataOptions
from spiritlm_cli.jobs.options.evaluate import EvaluateOptions, language_model_dtype_option, normalizer_option
from spiritlm_cli.jobs.options.judges import asr_option
from spiritlm_cli.jobs.options.parts import LanguageModelPart, TokenizerPart, VocoderPart
from spiritlm_cli.jobs.options.shared import EXECUTION, Dtype
from spiritlm_cli.options import option


def _hypotheses_option(what: str) -> Any:
    return option(
        None,
        f"Outputs that there are already, to be scored without a model: {what}.",
        metavar="FILE|FOLDER",
        path=True,
        group="input",
    )


@dataclass(frozen=True, kw_only=True)
class AnsweredOptions(TokenizerPart, LanguageModelPart, EvaluateOptions):
    """Options of the tasks that the language model answers."""

    form: str | None = option(
        None,
        "Form of the prompts, as of generate --task: the name of a task, or the file of a template.",
        "--task",
        metavar="TASK|FILE",
        reads=True,
        default_text="the task's with examples, and the item alone without any",
        group="few-shot",
    )
    examples: Path | None = option(
        None,
        "Solved examples: a manifest or a folder as DATA, whose clips are tokenized, or a file of token lines. None of "
        "the item's speaker is used, where speakers are known.",
        metavar="FILE|FOLDER",
        path=True,
        default_text="none: zero-shot",
        group="few-shot",
    )
    shots: int | None = option(
        None, "Number of examples in each prompt.", minimum=0, default_text="the task's", group="few-shot"
    )
    shuffle: bool = option(
        False,
        "Draw the examples at random for each item, instead of taking the first ones.",
        group="few-shot",
    )
    context: int | None = option(
        None,
        "Maximum number of tokens of a prompt and its answer together; as many examples as fit are used.",
        metavar="N",
        minimum=16,
        default_text="the task's, or the model's if that is less",
        group="few-shot",
    )
    max_new_tokens: int | None = option(
        None,
        "Maximum number of generated tokens.",
        metavar="N",
        minimum=1,
        default_text="by the item",
        group="continuation",
    )
    seed: int = option(0, "Random seed.", metavar="N", minimum=0, group="sampling")
    batch_size: int = option(
        16,
        "Number of answers in a batch. Does not change the results on a CPU.",
        minimum=1,
        **EXECUTION,
    )
    dtype: Dtype | None = language_model_dtype_option()

    hypotheses: Path | None = _hypotheses_option(
        "JSONL with id and text, such as an items file, a table with these columns, or token lines with ids"
    )

    @property
    def default_form(self) -> str | None:
        """The form of the prompts."""
        return self.form or (self.task if self.examples and self.shots != 0 else None)

    @property
    def has_pool(self) -> bool:
        """Whether there are examples to choose from."""
        return self.examples is not None

    def check(self) -> None:
        """Raise OptionError for options that can't be combined, OSError for a file that is not there."""
        super().check()
        if self.examples is not None:
            self.examples.stat()
        elif not self.has_pool and (self.shots or self.shuffle):
            raise OptionError("needs --examples", "--shots" if self.shots else "--shuffle")
        if self.hypotheses is None:
            return
        self.hypotheses.stat()
        excluded = {
            "--task": self.form, "--examples": self.examples, "--shots": self.shots, "--shuffle": self.shuffle,
            "--context": self.context, "--max-new-tokens": self.max_new_tokens, "--lm": self.lm,
        }  # fmt: skip
        for flag, value in excluded.items():
            if value:
                raise OptionError("is for outputs that a model generates, and excludes --hypotheses", flag)


@dataclass(frozen=True, kw_only=True)
class AsrOptions(ClipDataOptions, AnsweredOptions):
    """Options of `spiritlm evaluate asr`."""

    task: ClassVar[str] = "asr"

    normalizer: NormalizerName = normalizer_option()

    def check(self) -> None:
        """Raise OptionError for options that can't be combined, OSError for a file that is not there."""
        super().check()
        self.check_data()


@dataclass(frozen=True, kw_only=True)
class TtsOptions(VocoderPart, ClipDataOptions, AnsweredOptions):
    """Options of `spiritlm evaluate tts`."""

    task: ClassVar[str] = "tts"

    hypotheses: Path | None = _hypotheses_option(
        "a folder of audio files that are called ID.wav or the like, or a manifest with id and audio"
    )
    asr: str = asr_option()
    normalizer: NormalizerName = normalizer_option()
    speaker: str | None = option(
        None, "Voice, by name or index.", metavar="NAME|N", default_text="the model's", group="speech"
    )
    save_audio: Path | None = option(
        None,
        "Also write the generated speech to this folder, as ID.wav.",
        metavar="FOLDER",
        group="output",
        writes="folder",
        execution=True,
    )

    def check(self) -> None:
        """Raise OptionError for options that can't be combined, OSError for a file that is not there."""
        super().check()
        self.check_data()
        if self.hypotheses and self.save_audio:
            raise OptionError("excludes --hypotheses, whose audio is there already", "--save-audio")


@dataclass(frozen=True, kw_only=True)
class IntentOptions(AnsweredOptions):
    """Options of `spiritlm evaluate intent`."""

    task: ClassVar[str] = "intent"

    path: Path = option(
        ...,
        "Folder of Fluent Speech Commands.",
        metavar="FOLDER",
        argument=True,
        reads=True,
        group="input",
    )
    split: Literal["train", "valid", "test"] = option("test", "Commands to classify.", group="input")
    balanced: bool = option(
        False, "Draw the examples from all labels in turn.", "--balanced", group="few-shot"
    )
    likelihood: bool = option(
        False,
        "Also rank all labels by their log-likelihood after the prompt, by its sum and by its mean per token.",
        "--likelihood",
        group="scoring",
    )
    drop_none: bool = option(
        False, "Compare labels without the word none, which stands for an empty slot.", group="scoring"
    )

    @property
    def default_form(self) -> str | None:
        """The form of the prompts, also without examples."""
        return self.form or self.task

    @property
    def has_pool(self) -> bool:
        """The examples are of the training split unless others are given."""
        return True

    def check(self) -> None:
        """Raise OptionError for options that can't be combined, OSError for a file that is not there."""
        super().check()
        self.path.stat()
        if self.balanced and self.examples:
            raise OptionError("draws from the training split, and excludes --examples", "--balanced")
        if self.hypotheses and self.likelihood:
            raise OptionError("needs a model, and excludes --hypotheses", "--likelihood")
