from typing import Any

import numpy as np
import pytest

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.estimate import Estimate
from spiritlm_cli.evaluation.unit_counts import (
    StreamCounts,
    bitrate_values,
    codebook_facts,
    codebook_size,
    stream_kinds,
    units_of,
    units_to_json,
)
from spiritlm_cli.tokens.units import Kind, Units


def record(hubert: list[int], seconds: float, **streams: list[int]) -> dict[str, Any]:
    return {"id": "a", "seconds": seconds, "units": {"Hu": hubert, **streams}}


EIGHT = record([1, 1, 2, 2, 2, 2, 3, 3], 0.32)


def test_units_of_inverts_units_to_json() -> None:
    units = Units(np.array([3, 3, 1]), np.array([7]), None)
    streams = units_to_json(units)
    assert streams == {"Hu": [3, 3, 1], "Pi": [7]}
    assert units_of({"id": "a", "units": streams}).tolist() == [3, 3, 1]
    assert units_of({"id": "a", "units": streams}, Kind.PITCH).tolist() == [7]
    assert units_of(record([], 1)).tolist() == []


@pytest.mark.parametrize("ids", [[-1], [[1, 2]], [10**9], [float("nan")]])
def test_units_of_refuses_what_is_no_unit(ids: Any) -> None:
    with pytest.raises(ManifestError, match="a: units of Hu"):
        units_of(record(ids, 1))


def test_use_and_bitrates_of_eight_frames() -> None:
    stream = StreamCounts.of([EIGHT], Kind.HUBERT, 12)
    use, rates = stream.use(), bitrate_values([stream])
    assert use["used"].value == pytest.approx(3 / 12)
    assert use["perplexity"].value == pytest.approx(2**1.5)
    assert use["units_per_second"].value == pytest.approx(3 / 0.32)
    assert rates["entropy_bitrate"].value == pytest.approx(37.5)
    # three units after merging, each as frequent
    assert rates["merged_bitrate"].value == pytest.approx(3 / 0.32 * np.log2(3))
    assert rates["bitrate"].value == 4 * 25


def test_bitrates_are_summed_over_streams() -> None:
    clips = [record([1, 1, 2, 2], 2.0, Pi=[5, 6], St=[0, 0]), record([1, 2], 1.0, Pi=[5], St=[0])]
    sizes = {Kind.HUBERT: 501, Kind.PITCH: 64, Kind.STYLE: 100}
    assert stream_kinds(clips) == [Kind.HUBERT, Kind.PITCH, Kind.STYLE]
    streams = [StreamCounts.of(clips, kind, size) for kind, size in sizes.items()]
    rates = bitrate_values(streams)
    assert rates["bitrate"].value == 307
    single = [bitrate_values([stream])["entropy_bitrate"].value for stream in streams]
    assert rates["entropy_bitrate"].value == pytest.approx(sum(single))
    # style units are never merged
    assert streams[2].runs.sum() == 3
    assert rates["entropy_bitrate"].low is not None


def test_codebook_sizes_are_facts_of_a_run() -> None:
    facts = codebook_facts({Kind.HUBERT: 501})
    assert facts == {"Hu units": 501}
    assert codebook_size(facts, Kind.HUBERT) == 501
    assert codebook_size(facts, Kind.PITCH) is None


def test_the_share_of_units_used_has_no_interval() -> None:
    use = StreamCounts.of([record([n, n + 1], 0.08) for n in range(8)], Kind.HUBERT, 12).use()
    assert use["used"] == Estimate(9 / 12, count=8)
    assert use["perplexity"].low is not None
