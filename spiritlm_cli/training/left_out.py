"""Messages about inputs and options that a training does not use."""

from dataclasses import fields

from spiritlm_cli.console import notify
from spiritlm_cli.training.language_model_options import LanguageModelOptions

# Inputs that are named; of more, the number is told.
_NAMED = 10


class LeftOut:
    """Reports on stderr what is left out: the first few with the reason, and all by number."""

    def __init__(self, what: str) -> None:
        """what: the inputs in the plural, such as "lines"."""
        self._what = what
        self._count = 0

    def add(self, reason: str) -> None:
        """Leave one out. reason: which one, and why."""
        self._count += 1
        if self._count <= _NAMED:
            notify(f"left out: {reason}")

    def finish(self) -> None:
        """Report the number, if not all of them were named."""
        if self._count > _NAMED:
            notify(f"{self._count} {self._what} are left out")


def notify_unused_options(options: LanguageModelOptions, processes: int) -> None:
    """Say which options have no effect in a training by so many processes."""
    if options.fsdp and processes == 1:
        notify("--fsdp has no effect in one process: start several, by torchrun or accelerate launch")
    if options.warmup is not None and options.warmup > options.steps:
        notify(
            f"--warmup is {options.warmup}, and --steps is {options.steps}: the learning rate does not reach "
            "--learning-rate"
        )
    default = next(field.default for field in fields(options) if field.name == "valid_every")
    if options.valid_every != default and not options.validates:
        notify("--valid-every has no effect without --valid or --valid-manifest")
