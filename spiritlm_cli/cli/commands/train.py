"""`spiritlm train PART`: each part's options are the fields of its dataclass in `training/options.py`."""

import dataclasses
import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Annotated, Any, get_type_hints

import typer

from spiritlm_cli.cli import options
from spiritlm_cli.training import options as parts

train = typer.Typer(name="train", cls=options.Group, no_args_is_help=True, rich_markup_mode=None)

# Part, its module in training/, its options, and an example.
_PARTS: tuple[tuple[str, str, type, str], ...] = (
    ("hubert", "hubert", parts.HubertOptions, "--manifest clips.tsv --labels labels.txt -o new/"),
    ("quantizer", "quantizer", parts.QuantizerOptions, "--manifest clips.tsv --labels labels.txt -o new/"),
    ("pitch", "pitch", parts.PitchOptions, "--manifest clips.tsv -o new/"),
    ("style", "style", parts.StyleOptions, "--manifest clips.tsv -o new/"),
    ("vocoder", "vocoder", parts.VocoderOptions, "--manifest clips.tsv --units units.jsonl -o new/"),
    ("lm", "language_model", parts.LanguageModelOptions, "--lines tokens.txt --text stories.txt -o new/"),
)


@train.callback()
def about() -> None:
    """Train a part of a model, in the layout of --model.

    \b
    Examples:
      spiritlm train pitch --manifest clips.tsv -o new/
      spiritlm train lm --lines tokens.txt --text stories.txt -o new/ --resume
    """


def _command(name: str, module: str, kind: Any, example: str) -> Callable[..., None]:
    def command(**chosen: Any) -> None:
        import_module(f"spiritlm_cli.training.{module}").train(kind(**chosen))

    hints = get_type_hints(kind)
    command.__doc__ = f"{kind.__doc__}\n\n\b\nExample:\n  spiritlm train {name} {example}\n"
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default,
                annotation=Annotated[
                    hints[field.name],
                    typer.Option(*field.metadata.get("flags", ()), help=field.metadata.get("help")),
                ],
            )
            for field in dataclasses.fields(kind)
        ]
    )
    command.__annotations__ = {p.name: p.annotation for p in inspect.signature(command).parameters.values()}
    return command


for _name, _module, _kind, _example in _PARTS:
    train.command(_name, cls=options.Command)(_command(_name, _module, _kind, _example))
