"""`spiritlm models list`, `path` and `pull`: the models that are known by name."""

import typer

from spiritlm_cli.cli.command import command
from spiritlm_cli.cli.report import print_report
from spiritlm_cli.files import naming
from spiritlm_cli.jobs.options.models import ModelListOptions, ModelPathOptions, PullOptions


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


@command(PullOptions)
def pull(options: PullOptions) -> None:
    """Download a model, and print its folder.

    Run it again to continue a download that broke off. HF_TOKEN is the token for the Hugging Face Hub.

    \b
    Examples:
      spiritlm models pull twist --dry-run
      spiritlm models pull twist
      spiritlm models pull owner/name --revision main
    """
    from spiritlm_cli.jobs.models import pull as run

    if folder := run(options):
        with naming("stdout"):
            typer.echo(folder)
