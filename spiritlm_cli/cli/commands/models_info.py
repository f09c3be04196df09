"""`spiritlm models info` and `verify`: what is in the files of a model."""

import typer

from spiritlm_cli.cli.command import command
from spiritlm_cli.cli.report import print_report
from spiritlm_cli.console import one_line
from spiritlm_cli.files import naming
from spiritlm_cli.jobs.options.models import ModelInfoOptions, VerifyOptions


@command(ModelInfoOptions)
def info(options: ModelInfoOptions) -> None:
    """Describe a model: parts, parameters, units, voices, context, license, tokenizer.

    \b
    Examples:
      spiritlm models info nano
      spiritlm models info spirit-lm/ --json
    """
    from spiritlm_cli.jobs.model_info import describe

    print_report(describe(options), options.json)


@command(VerifyOptions)
def verify(options: VerifyOptions) -> None:
    """Check the files of a model: names, shapes and values of all tensors, and checksums.

    Prints a line for each part. The exit status is 1 if anything is wrong.

    \b
    Examples:
      spiritlm models verify twist
      spiritlm models verify spirit-lm/
    """
    from spiritlm_cli.jobs.verify_model import verify as run

    failed = False
    for check in run(options):
        with naming("stdout"):
            typer.echo(one_line(str(check)))
        failed = failed or check.fault is not None
    if failed:
        raise typer.Exit(1)
