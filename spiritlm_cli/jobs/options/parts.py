"""Options that take one part of a model from another one; a job has those of the parts that it uses."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spiritlm_cli.options import option


def absolute_model(text: str) -> str:
    """The name of a checkpoint; of a folder its absolute path, so that the journal knows it from any folder."""
    folder = Path(text).expanduser()
    return str(folder.absolute()) if text != "nano" and folder.is_dir() else text


def _part_option(part: str) -> Any:
    return option(
        None,
        f"Model to take the {part} from, as --model.",
        metavar="MODEL",
        default_text="that of --model",
        parse=absolute_model,
        group="model",
    )


@dataclass(frozen=True, kw_only=True)
class TokenizerPart:
    """Where the speech tokenizer comes from."""

    tokenizer: str | None = _part_option("speech tokenizer")


@dataclass(frozen=True, kw_only=True)
class LanguageModelPart:
    """Where the language model comes from, and the tokenizer of its text."""

    lm: str | None = _part_option("language model")
    text_tokenizer: str | None = option(
        None,
        "Tokenizer of a language model's text, if there is none in its folder: a folder with tokenizer.json, or a "
        "Hugging Face repository.",
        metavar="FOLDER|HF-REPO",
        parse=absolute_model,
        group="model",
    )


@dataclass(frozen=True, kw_only=True)
class VocoderPart:
    """Where the vocoder comes from."""

    vocoder: str | None = _part_option("vocoder")
