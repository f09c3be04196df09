"""The result of one check."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from spiritlm_cli.console import one_line
from spiritlm_cli.errors import SpiritLMError

# ok: works. note: worth knowing. warning: fails, is slow or is wrong in some uses. broken: needed, and does not work.
Status = Literal["ok", "note", "warning", "broken"]
Section = Literal[
    "Installation", "Machine", "Packages", "Extras", "Devices", "Models", "Environment", "Self-test"
]
Value = str | int | float | bool | None


@dataclass(frozen=True)
class Finding:
    """The result of one check, for people and as JSON.

    name: what was checked. text: its state. remedy: what to do next, as a sentence; command: what to type for it. A
    warning and something broken have one of them. values: versions, sizes and times, for programs.
    """

    section: Section
    name: str
    status: Status
    text: str
    remedy: str = ""
    command: str = ""
    values: Mapping[str, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.status in ("warning", "broken") and not (self.remedy or self.command):
            raise ValueError(f"{self.name}: {self.status} without a remedy")

    def to_json(self) -> dict[str, Any]:
        """Return an object for `json.dumps`."""
        return asdict(self)


def reason(error: BaseException) -> str:
    """Why something failed, as one line: the message of an error, with its type unless it is this package's.

    If the error has a cause, as `raise ... from cause` gives it, the cause follows.
    """
    message = one_line(str(error))
    if not isinstance(error, SpiritLMError):
        message = f"{type(error).__name__}: {message}" if message else type(error).__name__
        if error.__cause__ and (cause := one_line(str(error.__cause__))) not in message:
            message += f" ({cause})"
    return message if len(message) <= 300 else f"{message[:299]}…"
