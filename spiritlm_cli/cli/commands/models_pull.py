"""`spiritlm models pull`: the download of models."""

import typer

from spiritlm_cli.cli.command import command
from spiritlm_cli.console import notify
from spiritlm_cli.files import naming
from spiritlm_cli.jobs.options.models import PullOptions


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
    from spiritlm_cli.jobs import models

    if options.dry_run:
        plan = models.dry_run(options)
        lines = plan.lines()
        notify(plan.summary)
    else:
        lines = [str(models.pull(options))]
    with naming("stdout"):
        for line in lines:
            typer.echo(line)
