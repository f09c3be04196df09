from inspection_fixtures import clip, line

from spiritlm_cli.inspection.page_diff import diff_fields
from spiritlm_cli.inspection.unit_diff import diff_inspected


def test_diff_fields():
    diff = diff_inspected(clip([5, 5, 7, 9], [1, 2], name="a"), clip([5, 8, 9, 9, 6], [1, 1], name="b"))
    a, b = diff_fields(diff, "A"), diff_fields(diff, "B")
    assert (a["id"], b["id"]) == ("a (A)", "b (B)")
    assert a["other"]["lanes"][0]["ids"] == [5, 8, 9, 6]
    assert b["other"]["lanes"][0]["ids"] == [5, 7, 9]
    assert a["other"]["changed"] == {
        "Hu": {"own": [1], "other": [1, 3]},
        "Pi": {"own": [1], "other": []},
    }
    assert b["other"]["changed"]["Hu"] == {"own": [1, 3], "other": [1]}
    assert a["other"]["note"].startswith(
        "Compared with B, b of in.wav. From A to B, phonetic: 1 replaced, 1 inserted, 0 deleted, UER 66.7 %; "
    )


def test_diff_fields_of_empty_lines():
    fields = diff_fields(diff_inspected(line(""), line("")), "A")
    assert fields["other"]["changed"] == {}
    assert "no units" in fields["other"]["note"]
