"""`spiritlm models TASK`: checkpoints themselves."""

import re
from pathlib import Path
from typing import Annotated

import typer

from spiritlm_cli.cli import options

models = typer.Typer(name="models", cls=options.Group, no_args_is_help=True, rich_markup_mode=None)

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


@models.callback()
def about() -> None:
    """See to a model's files.

    \b
    Examples:
      spiritlm models convert spirit-lm/ -o spirit-lm-safetensors/
    """


@models.command(cls=options.Command)
def convert(
    model: Annotated[
        str,
        typer.Argument(
            metavar="DIR", help="A checkpoint's folder, or only a language model's Hugging Face folder."
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT", help="The folder that is made; new, or empty.")
    ],
    shard_size: Annotated[
        str,
        typer.Option(metavar="SIZE", help="The most of a language model in one file, and in memory at once."),
    ] = "4GB",
) -> None:
    """Make safetensors of pickled weights (.pt, .bin).

    The new folder gives the same answers, and takes the tokens of the old. What was broken off goes on where it was
    when the same is run again.

    \b
    Examples:
      spiritlm models convert spirit-lm/ -o spirit-lm-safetensors/
      spiritlm models convert spirit-lm/spiritlm_model/spirit-lm-base-7b/ -o lm/ --shard-size 2GB
    """
    most = byte_count(shard_size)
    from spiritlm_cli.checkpoints.convert import convert as convert_checkpoint
    from spiritlm_cli.console import notify, one_line

    def tell(message: str) -> None:
        notify(f"spiritlm: {one_line(message)}")

    written = convert_checkpoint(model, output, most, tell)
    before = f"; {written.files_kept} were there already" if written.files_kept else ""
    tell(
        f"{written.folder}: {written.files_written} files written, {written.bytes_written / 1e6:,.1f} MB{before}"
    )


def byte_count(text: str) -> int:
    """`4GB`, `500 MB` or a number of bytes as a number. Raises a usage error."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?) *([KMGT]?)B?", text.strip(), re.IGNORECASE)
    count = int(float(found[1]) * _UNITS[found[2].upper()]) if found else 0
    if count < 1:
        raise typer.BadParameter(
            f"a size is written 4GB or 500MB, not {text or 'nothing'}", param_hint="--shard-size"
        )
    return count
