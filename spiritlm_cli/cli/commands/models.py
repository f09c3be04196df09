"""`spiritlm models TASK`: checkpoint files."""

import re
from dataclasses import dataclass
from pathlib import Path

import typer

from spiritlm_cli.cli.command import command
from spiritlm_cli.cli.general import Command, Group
from spiritlm_cli.console import notify, one_line
from spiritlm_cli.errors import OptionError
from spiritlm_cli.options import option

models = typer.Typer(name="models", cls=Group, no_args_is_help=True, rich_markup_mode=None)

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
        ..., "Checkpoint folder, or a language model's Hugging Face folder.", metavar="DIR", argument=True
    )
    output: Path = option(..., "Folder to make; new, or empty.", "-o", "--output", metavar="FOLDER")
    shard_size: int = option(
        4 * 10**9,
        "Maximum size of a file of the language model, and of what is in memory at once.",
        metavar="SIZE",
        parse=parse_bytes,
        default_text="4GB",
    )


@models.callback()
def about() -> None:
    """Manage checkpoint files.

    \b
    Examples:
      spiritlm models convert spirit-lm/ -o spirit-lm-safetensors/
    """


@models.command(cls=Command)
@command(ConvertOptions)
def convert(options: ConvertOptions) -> None:
    """Convert pickled weights (.pt, .bin) to safetensors.

    The new folder gives the same results and accepts the tokens of the old one. Run it again to continue an
    interrupted conversion.

    \b
    Examples:
      spiritlm models convert spirit-lm/ -o spirit-lm-safetensors/
      spiritlm models convert spirit-lm/spiritlm_model/spirit-lm-base-7b/ -o lm/ --shard-size 2GB
    """
    from spiritlm_cli.checkpoints.convert import convert as convert_checkpoint

    def report(message: str) -> None:
        notify(f"spiritlm: {one_line(message)}")

    written = convert_checkpoint(options.model, options.output, options.shard_size, report)
    before = f"; {written.files_kept} were there already" if written.files_kept else ""
    report(
        f"{written.folder}: {written.files_written} files written, {written.bytes_written / 1e6:,.1f} MB{before}"
    )
