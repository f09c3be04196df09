"""`spiritlm train PART`: each part's options are the fields of its dataclass in `training/*options.py`."""

from importlib import import_module
from typing import Any

import typer

from spiritlm_cli.cli.command import command
from spiritlm_cli.cli.config_option import ConfigurableCommand
from spiritlm_cli.cli.general import Group
from spiritlm_cli.cli.imports import importing
from spiritlm_cli.cli.report import print_report
from spiritlm_cli.training import options as parts
from spiritlm_cli.training.language_model_options import LanguageModelOptions
from spiritlm_cli.training.prepare_options import PrepareOptions
from spiritlm_cli.training.units_options import UnitsOptions
from spiritlm_cli.training.vocoder_options import VocoderOptions

train = typer.Typer(name="train", cls=Group, no_args_is_help=True, rich_markup_mode=None)

# Part, its module in training/, its options, and an example.
PARTS: tuple[tuple[str, str, type, str], ...] = (
    ("units", "units", UnitsOptions, "--manifest clips.tsv --clusters 100 --phones phones.jsonl -o new/"),
    ("hubert", "hubert", parts.HubertOptions, "--manifest clips.tsv --labels labels.txt -o new/"),
    ("quantizer", "quantizer", parts.QuantizerOptions, "--manifest clips.tsv --labels labels.txt -o new/"),
    ("pitch", "pitch", parts.PitchOptions, "--manifest clips.tsv -o new/"),
    ("style", "style", parts.StyleOptions, "--manifest clips.tsv -o new/"),
    ("vocoder", "vocoder", VocoderOptions, "--manifest clips.tsv --units units.jsonl -o new/"),
    ("prepare", "prepare", PrepareOptions, "--lines tokens/ --text stories.txt.gz -o data/"),
    ("lm", "language_model", LanguageModelOptions, "--lines tokens.txt --text stories.txt -o new/"),
)


@train.callback()
def about() -> None:
    """Train a part of a model, in the layout of --model.

    \b
    Examples:
      spiritlm train pitch --manifest clips.tsv -o new/
      spiritlm train lm --lines tokens.txt --text stories.txt -o new/ --resume
    """


def _add(name: str, module: str, kind: type, example: str) -> None:
    def part(options: Any) -> None:
        with importing():
            work = import_module(f"spiritlm_cli.training.{module}")
        report = work.prepare(options) if name == "prepare" else work.train(options)
        if report is not None:
            print_report(report, options.as_json)

    part.__doc__ = f"{kind.__doc__}\n\n\b\nExample:\n  spiritlm train {name} {example}\n"
    train.command(name, cls=ConfigurableCommand)(command(kind)(part))


for _part in PARTS:
    _add(*_part)
