"""Messages about inputs that a training does not use."""

from spiritlm_cli.console import notify

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
