"""Measured speeds, as JSON or a table."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from rich.table import Table

from spiritlm_cli.console import counted, escape_markup

Unit = Literal["seconds of sound", "tokens"]


@dataclass(frozen=True)
class StageSpeed:
    """Speed and memory of one stage.

    per_second: seconds of audio or tokens (`unit`) processed per second. dtype: of the stage's network. share:
    floating-point operations per second divided by the device's peak; None if not all operations have the dtype of the
    peak or run on the device. memory: peak in bytes while the stage ran, model included, of the GPU or of the process.
    """

    stage: str
    per_second: float
    unit: Unit
    dtype: str
    share: float | None
    memory: int


@dataclass(frozen=True)
class SpeedReport:
    """Speeds of all stages. seconds: of audio, in `clips` clips; peak: FLOP/s of matrix products in `dtype`."""

    model: str
    device: str
    threads: int
    dtype: str
    seconds: float
    clips: int
    peak: float
    stages: tuple[StageSpeed, ...]

    def to_json(self) -> dict[str, Any]:
        """Return an object for `json.dumps`."""
        return asdict(self)

    @property
    def setting(self) -> str:
        """What was measured, as one line of text."""
        threads = f", {self.threads} threads" if self.device == "cpu" else ""
        clips = counted(self.clips, "clip")
        return f"{self.model} on {self.device}{threads}, {self.dtype}, {self.seconds:g} s of sound in {clips}"

    def table(self) -> Table:
        """Return a `rich` table."""
        table = Table(
            title=escape_markup(self.setting),
            min_width=len(self.setting),
            caption="× real time: seconds of audio per second. Share: of the speed of matrix products here, "
            f"{self.peak / 1e9:.0f} GFLOP/s.",
        )
        for name in ("", "speed", "share", "memory"):
            table.add_column(name, justify="right" if name else "left", no_wrap=True)
        for row in self.stages:
            unit = "tokens/s" if row.unit == "tokens" else "× real time"
            share = "" if row.share is None else f"{100 * row.share:.0f} %"
            table.add_row(
                escape_markup(row.stage), f"{row.per_second:.1f} {unit}", share, f"{row.memory / 1e6:.0f} MB"
            )
        return table
