"""Run the harness with the model `spiritlm`: `python -m spiritlm_cli.evaluation.lm_eval ARGUMENTS OF lm-eval`."""

import sys

from spiritlm_cli.console import set_up, write_message
from spiritlm_cli.errors import SpiritLMError


def main() -> None:
    """Run the command of the harness; stop with a message, not a traceback, for errors of this package."""
    set_up()
    try:
        # raises MissingPackageError without the harness; importing the module registers the model
        import spiritlm_cli.evaluation.lm_eval.model  # noqa: F401, I001
        from lm_eval.__main__ import cli_evaluate

        cli_evaluate()
    except SpiritLMError as error:
        write_message(str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
