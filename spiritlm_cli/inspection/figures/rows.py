"""Rows of a figure over time, as the systems of sheet music: a long clip continues in the next row."""

import math
from dataclasses import dataclass

from spiritlm_cli.tokens.timeline import HUBERT_RATE

# At 1200 pixels, the ids of 25 phonetic units per second are legible up to here.
MAX_ROW_SECONDS = 7.0
# Inches, of a figure that is 8 inches wide.
ROW_LEFT, ROW_WIDTH = 0.66, 7.24


@dataclass(frozen=True)
class Row:
    """A part of the time axis that is drawn from the left to the right. start, end: seconds. is_last: of the figure."""

    start: float
    end: float
    is_last: bool = True

    @property
    def seconds_per_inch(self) -> float:
        """Scale of the time axis."""
        return (self.end - self.start) / ROW_WIDTH

    @property
    def tick_seconds(self) -> float:
        """Seconds between the ticks of the time axis."""
        return next(step for step in (0.02, 0.05, 0.1, 0.2, 0.5, 1.0) if step >= (self.end - self.start) / 12)


def split_rows(seconds: float) -> list[Row]:
    """Rows of equal duration, at most 7 s each. Each begins with a phonetic unit, so that no unit of 40 ms is cut."""
    count = max(math.ceil(seconds / MAX_ROW_SECONDS - 1e-9), 1)
    if count == 1:
        return [Row(0.0, seconds)]
    frames = math.ceil(seconds * HUBERT_RATE / count - 1e-9)
    count = math.ceil(seconds * HUBERT_RATE / frames - 1e-9)
    return [
        Row(index * frames / HUBERT_RATE, (index + 1) * frames / HUBERT_RATE, index == count - 1)
        for index in range(count)
    ]
