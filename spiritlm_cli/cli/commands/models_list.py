"""`spiritlm models list` and `path`: the models that are known by name."""

import typer

from spiritlm_cli.cli.command import command
from spiritlm_cli.cli.report import print_report
from spiritlm_cli.files import naming
from spiritlm_cli.jobs.options.models import ModelListOptions, ModelPathOptions


@command(ModelListOptions)
def list_models(options: ModelListOptions) -> None:
    """List the known models: parts, license, size, and where they are on this machine.

    \b
    Examples:
      spiritlm models list
      spiritlm models list --json
    """
    from spiritlm_cli.jobs.models import list_models as run

    print_report(run(options), options.json)


@command(ModelPathOptions)
def path(options: ModelPathOptions) -> None:
    """Print the folder of a model.

    \b
    Examples:
      spiritlm models path twist
    """
    from spiritlm_cli.jobs.models import model_path

    with naming("stdout"):
        typer.echo(model_path(options))
