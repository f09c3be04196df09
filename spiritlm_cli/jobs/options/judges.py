"""Options that name the judges of evaluations. Nothing here imports torch."""

from typing import Any

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.parts import absolute_model
from spiritlm_cli.options import option


def asr_option() -> Any:
    """Declare `--asr`."""
    return option(
        "base.en",
        "Speech recognizer: a faster-whisper model, by name or folder, or the Hugging Face folder of a CTC model.",
        "--asr",
        metavar="NAME|FOLDER",
        parse=absolute_model,
        default_text="base.en",
        group="model",
    )


def text_classifier_option(what: str) -> Any:
    """Declare `--text-classifier`. what: that it classifies, such as "sentiment"."""
    return option(
        None,
        f"Classifier of the {what} of text: the Hugging Face folder of a sequence classifier.",
        metavar="FOLDER",
        path=True,
        group="model",
    )


def speech_classifier_option(what: str) -> Any:
    """Declare `--speech-classifier`. what: that it classifies, such as "emotion"."""
    return option(
        None,
        f"Classifier of the {what} of speech: the Hugging Face folder of an audio classifier (wav2vec 2.0 family).",
        metavar="FOLDER",
        path=True,
        group="model",
    )


def text_lm_option() -> Any:
    """Declare `--text-lm`."""
    return option(
        None,
        "Language model of text that computes perplexities: the Hugging Face folder of a causal language model.",
        metavar="FOLDER",
        path=True,
        group="model",
    )


def require_judge(value: object, flag: str, purpose: str, example: str | None = None) -> None:
    """Raise OptionError if a judge is not given. example: a repository on Hugging Face that can be the judge."""
    if value is None:
        repository = example or "REPOSITORY"
        folder = repository.rpartition("/")[2] if example else "FOLDER"
        raise OptionError(
            f"is needed for {purpose}: the folder of a classifier or a model, such as "
            f"`hf download {repository} --local-dir {folder}` writes",
            flag,
        )
