import pytest
from inspection_fixtures import clip

from spiritlm_cli.alignment.pocketsphinx import Phone
from spiritlm_cli.inspection.concordance import find_places, parse_units
from spiritlm_cli.inspection.unit_phones import PhoneCounts

PHONES = (Phone("SIL", 0, 0.05), Phone("K", 0.05, 0.13), Phone("AE", 0.13, 0.2))


def counted(ids, unit="Hu5"):
    counts = PhoneCounts()
    counts.add(find_places(clip(ids), parse_units(unit), 0), PHONES)
    return counts


def test_counts_the_phone_at_the_center_of_each_frame():
    # frames have their centers at 0.02, 0.06, 0.10, 0.14, 0.18, 0.22 s
    counts = counted([5, 5, 5, 5, 7, 5])
    assert counts.frames == {"SIL": 2, "K": 2, "AE": 1}
    assert counts.shares == [("K", 0.4), ("SIL", 0.4), ("AE", 0.2)]
    assert counts.purity == 0.4


def test_counts_of_several_clips():
    counts = counted([7, 5])
    counts.add(find_places(clip([7, 7, 5, 5]), parse_units("Hu5"), 0), PHONES)
    counts.add(find_places(clip([5]), parse_units("Hu5"), 0), None)
    assert counts.to_json() == {
        "clips": 2,
        "clips_without_phones": 1,
        "frames": 3,
        "purity": pytest.approx(0.6667),
        "phones": {"K": pytest.approx(0.6667), "AE": pytest.approx(0.3333)},
    }


def test_counts_without_places():
    counts = counted([7, 7])
    assert (counts.purity, counts.shares) == (None, [])
    assert counts.table().row_count == 0


def test_table_has_bars():
    table = counted([7, 5, 5, 5]).table()
    assert [list(column.cells) for column in table.columns[:2]] == [["K", "AE"], ["66.7 %", "33.3 %"]]
    assert [len(bar) for bar in table.columns[2].cells] == [30, 15]
