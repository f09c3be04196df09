"""`spiritlm models TASK`: the files of models."""

import typer

from spiritlm_cli.cli.command import command
from spiritlm_cli.cli.commands.models_info import info, verify
from spiritlm_cli.cli.commands.models_list import list_models, path
from spiritlm_cli.cli.commands.models_merge import merge
from spiritlm_cli.cli.commands.models_pull import pull
from spiritlm_cli.cli.general import Command, Group
from spiritlm_cli.console import notify
from spiritlm_cli.jobs.options.convert import ConvertOptions

models = typer.Typer(name="models", cls=Group, no_args_is_help=True, rich_markup_mode=None)


@models.callback()
def about() -> None:
    """Find, download, check, convert and merge models.

    \b
    Examples:
      spiritlm models list
      spiritlm models pull twist
      spiritlm models convert spirit-lm/ -o spirit-lm-safetensors/
    """


models.command("list", cls=Command)(list_models)
models.command(cls=Command)(path)
models.command(cls=Command)(pull)
models.command(cls=Command)(info)
models.command(cls=Command)(verify)
models.command(cls=Command)(merge)


@models.command(cls=Command)
@command(ConvertOptions)
def convert(options: ConvertOptions) -> None:
    """Convert pickled weights (.pt, .bin) to safetensors, and HuBERTs and models of slamkit to Hugging Face folders.

    The new folder gives the same results and accepts the tokens of the old one. Run it again to continue an
    interrupted conversion.

    \b
    Examples:
      spiritlm models convert spirit-lm/ -o spirit-lm-safetensors/
      spiritlm models convert spirit-lm/spiritlm_model/spirit-lm-base-7b/ -o lm/ --shard-size 2GB
      spiritlm models convert sims-7b -o sims-hf/
      spiritlm models convert mhubert_base_25hz.pt -o my-tokenizer/mhubert-base-25hz/
      spiritlm models convert new/speech_tokenizer/hubert_25hz/mhubert_base_25hz.safetensors -o my-hubert/
    """
    from spiritlm_cli.checkpoints.convert import convert as convert_checkpoint

    written = convert_checkpoint(
        options.model, options.output, options.shard_size, notify, options.text_tokenizer
    )
    before = f"; {written.files_kept} were there already" if written.files_kept else ""
    files = f"{written.files_written} file{'' if written.files_written == 1 else 's'} written"
    notify(f"{written.output}: {files}, {written.bytes_written / 1e6:,.1f} MB{before}")
