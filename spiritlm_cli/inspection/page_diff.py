"""What the page holds of a clip that is compared with another, beside what it holds of any clip."""

from typing import Any

import numpy as np

from spiritlm_cli.inspection.page_data import lanes_to_json
from spiritlm_cli.inspection.unit_diff import STREAMS, LineDiff, StreamDiff
from spiritlm_cli.tokens.edit_distance import NONE


def diff_fields(diff: LineDiff, side: str) -> dict[str, Any]:
    """The id of one side, with the side's name, and what the page shows of the other one.

    side: A or B, whose clip is shown. The runs in `changed` are those that differ, in the clip's own lanes and in those
    of the other.
    """
    own, other, name = (diff.a, diff.b, "B") if side == "A" else (diff.b, diff.a, "A")
    streams = {STREAMS[stream.name]: stream for stream in diff.streams}
    return {
        "id": f"{own.id} ({side})",
        "other": {
            "note": _note(diff, name, other.id, other.source),
            "lanes": lanes_to_json(other.timeline),
            "changed": {
                kind.value: _changed(stream, side) for kind, stream in streams.items() if kind is not None
            },
        },
    }


def _note(diff: LineDiff, name: str, id: str, source: str) -> str:  # noqa: A002
    parts = []
    for stream in diff.streams:
        counts = stream.counts
        numbers = f"{counts.substitutions} replaced, {counts.insertions} inserted, {counts.deletions} deleted"
        rate = "" if counts.error_rate is None else f", UER {100 * counts.error_rate:.1f} %"
        parts.append(f"{stream.name}: {numbers}{rate}")
    differences = "; ".join(parts) or "no units"
    return f"Compared with {name}, {id} of {source}. From A to B, {differences}. A bar marks the units that differ."


def _changed(stream: StreamDiff, side: str) -> dict[str, list[int]]:
    steps = ~stream.path.equal
    a, b = (np.sort(path[steps & (path != NONE)]).tolist() for path in (stream.path.a, stream.path.b))
    return {"own": a, "other": b} if side == "A" else {"own": b, "other": a}
