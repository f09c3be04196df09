from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest

from spiritlm_cli.evaluation.records import RunDescription
from spiritlm_cli.evaluation.unit_edits import UnitEdits
from spiritlm_cli.evaluation.units import result

DESCRIPTION = RunDescription("units", "1", facts={"Hu units": 501})


def record(name: str, units: list[int], **fields: Any) -> dict[str, Any]:
    return {"id": name, "seconds": len(units) / 25, "units": {"Hu": units}, **fields}


EIGHT = record("a", [1, 1, 2, 2, 2, 2, 3, 3], phones=list("aaabbbcc"))


def test_agreement_of_eight_frames() -> None:
    row = result(DESCRIPTION, [EIGHT]).row("phonetic")
    values = {name: estimate.value for name, estimate in row.values.items()}
    assert values["phone_purity"] == 0.875
    assert values["cluster_purity"] == 0.875
    assert values["pnmi"] == pytest.approx(0.74019, abs=5e-6)
    assert values["unit_information"] == pytest.approx(0.77043, abs=5e-6)
    assert values["entropy_bitrate"] == pytest.approx(37.5)
    assert values["bitrate"] == 225


def test_agreement_is_over_the_frames_of_all_clips() -> None:
    """Halves of the eight frames give what the whole gives. Phones beyond the units are not counted."""
    with_phones = replace(DESCRIPTION, facts=DESCRIPTION.facts | {"phones of": "pocketsphinx"})
    halves = [
        record("a", [1, 1, 2, 2], phones=list("aaabz")),
        record("b", [2, 2, 3, 3], phones=list("bbcc")),
        record("c", [7, 7]),
    ]
    found = result(with_phones, halves)
    row = found.row("phonetic")
    assert row.values["pnmi"].value == pytest.approx(0.74019, abs=5e-6)
    assert row.values["pnmi"].low is not None
    assert row.values["pnmi"].count == 2
    assert "Phones are known of 2 clips." in found.notes
    assert "Phones are known of 0 clips." in result(with_phones, halves[2:]).notes
    assert result(DESCRIPTION, halves[2:]).notes == ()


def test_edits_of_changes_in_both_forms() -> None:
    edits = [
        UnitEdits.between(np.array([1, 2, 3]), np.array([1, 9, 3])),
        UnitEdits.between(np.array([5, 5, 5, 7]), np.array([5, 7, 7, 8])),
    ]
    records = [record(str(index), [1, 2], changes={"pitch": asdict(one)}) for index, one in enumerate(edits)]
    row = result(DESCRIPTION, records).row("pitch", "change")
    assert result(DESCRIPTION, records).notes[0].startswith("Edits: ")
    assert 100 * row.values["ued"].value == pytest.approx(40.0)
    assert 100 * row.values["mean_ued"].value == pytest.approx(41.67, abs=5e-3)
    assert row.values["frame_ued"].value == pytest.approx(2 / 7)


def test_edits_between_the_speakers_of_a_sentence() -> None:
    records = [
        record("a", [1, 1, 2, 3], text="Hello, there!", speaker="x"),
        record("b", [1, 9, 3, 3], text="hello there", speaker="y"),
        record("c", [8, 8, 8], text="hello there", speaker="y"),
        record("d", [1, 2], text="Another sentence", speaker="x"),
        # no words, so not one sentence
        record("e", [1, 2], text="...", speaker="x"),
        record("f", [3, 4], text="?", speaker="y"),
    ]
    row = result(DESCRIPTION, records).row("between speakers", "sentences")
    # a-b: 1 edit of 3 and 3 units; a-c: 3 edits of 3 and 1 units
    assert row.items == 1
    assert row.values["ued"].value == pytest.approx((1 + 1 + 3 + 3) / (3 + 3 + 3 + 1))
    assert row.values["mean_ued"].value == pytest.approx((1 / 3 + 1 / 3 + 1 + 3) / 4)


def test_streams_have_rows_of_their_own() -> None:
    both = EIGHT | {"units": {**EIGHT["units"], "Pi": [4, 4, 5, 5]}}
    found = result(DESCRIPTION, [both])
    assert [row.name for row in found.rows] == ["phonetic", "pitch", "all streams"]
    assert "pnmi" not in found.row("pitch").values
    total = found.row("all streams").values["entropy_bitrate"].value
    parts = [found.row(name).values["entropy_bitrate"].value for name in ("phonetic", "pitch")]
    assert total == pytest.approx(sum(parts))
