"""`spiritlm doctor`: what is installed here, and what is broken."""

from typing import Any

from spiritlm_cli.cli.command import command
from spiritlm_cli.jobs.options.doctor import DoctorOptions


@command(DoctorOptions)
def doctor(options: DoctorOptions) -> Any:
    """Report what is installed here, what is broken, and how to fix it; the report goes to stdout.

    The exit status is 0 if all that is needed works; missing extras are no fault.

    \b
    Examples:
      spiritlm doctor
      spiritlm doctor --model spirit-lm/
      spiritlm doctor --json
    """
    from spiritlm_cli.jobs.doctor import run

    return run(options)
