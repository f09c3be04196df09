"""Clips and token lines for the tests of `inspection`."""

import numpy as np

from spiritlm_cli.inspection.inspected import Inspected
from spiritlm_cli.inspection.timeline import sequence_timeline, units_timeline
from spiritlm_cli.tokens.reader import parse_line
from spiritlm_cli.tokens.sequence import Sequence
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.tokens.units import Units


class ThreeFrames:
    """Predicts three frames for each unit."""

    num_units = 500

    def frames(self, hubert):
        return 3 + 0 * hubert


def line(text: str, name: str = "1", source: str = "lines.txt") -> Inspected:
    """A token line; each unit of one without repeats lasts 120 ms."""
    sequence = parse_line(text).sequence
    return Inspected(name, source, sequence, sequence_timeline(sequence, ThreeFrames))


def clip(hubert, pitch=None, style=None, name: str = "1") -> Inspected:
    """A clip as `inspect` reads it with repeats kept."""
    streams = [None if ids is None else np.array(ids) for ids in (hubert, pitch, style)]
    units = Units(*streams)
    sequence = Sequence.of([merge_streams(units, keep_repeats=True)])
    return Inspected(name, "in.wav", sequence, units_timeline(units))
