"""Options of `spiritlm models convert`."""

import re
from dataclasses import dataclass
from pathlib import Path

from spiritlm_cli.errors import OptionError
from spiritlm_cli.options import option

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def parse_bytes(text: str) -> int:
    """`4GB`, `500 MB` or a number of bytes as a number. Raises OptionError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) *([KMGT]?)B?", text.strip(), re.IGNORECASE)
    count = int(float(match[1]) * _UNITS[match[2].upper()]) if match else 0
    if count < 1:
        raise OptionError(f"a size is written 4GB or 500MB, not {text or 'nothing'}")
    return count


@dataclass(frozen=True, kw_only=True)
class ConvertOptions:
    """Options of `spiritlm models convert`."""

    model: str = option(
        ...,
        "Checkpoint folder, a language model's folder, or the file of a HuBERT (of fairseq or a checkpoint) or of "
        "scikit-learn's k-means.",
        metavar="FOLDER|FILE",
        argument=True,
        group="input",
    )
    output: Path = option(
        ...,
        "Folder to make; new, or empty. For a k-means: file to write.",
        "-o",
        "--output",
        metavar="FOLDER|FILE",
        group="output",
    )
    text_tokenizer: str | None = option(
        None,
        "Text tokenizer of a slamkit model that has none in its folder: a folder with tokenizer.json, or a Hugging "
        "Face repository.",
        metavar="FOLDER|HF-REPO",
        group="input",
    )
    shard_size: int = option(
        4 * 10**9,
        "Maximum size of a file of the language model, and of what is in memory at once.",
        metavar="SIZE",
        parse=parse_bytes,
        default_text="4GB",
        group="output",
    )
