import pytest
from inspection_fixtures import clip, line

from spiritlm_cli.inspection.unit_diff import Counts, DiffTotals, diff_inspected


def counts(diff):
    return {stream.name: stream.counts for stream in diff.streams}


def test_diff_inspected_by_stream():
    a = line("[SPEECH][St1][Pi3][Hu5][Hu7][Pi4][Hu9][Hu2]")
    b = line("[SPEECH][St1][Pi3][Hu5][Hu8][Hu9][Hu2][Hu6]")
    diff = diff_inspected(a, b)
    assert not diff.equal
    assert counts(diff) == {
        "phonetic": Counts(4, substitutions=1, insertions=1),
        "pitch": Counts(2, deletions=1),
        "style": Counts(1),
    }
    assert counts(diff)["phonetic"].error_rate == 0.5
    assert list(diff.streams[0].substitutions()) == [("Hu7", "Hu8")]


def test_diff_inspected_gives_times():
    a, b = line("[SPEECH][Hu5][Hu7][Hu9]"), line("[SPEECH][Hu5][Hu9]")
    assert list(diff_inspected(a, b).streams[0].edits()) == [
        {"a": {"label": "Hu7", "start": 0.12, "end": 0.24}, "b": None}
    ]


def test_diff_inspected_of_equal_lines():
    text = "[SPEECH][Hu5][Hu7][TEXT]the cat"
    diff = diff_inspected(line(text), line(text))
    assert diff.equal
    assert [stream.counts.distance for stream in diff.streams] == [0, 0]
    assert diff.to_json()["streams"]["text"]["edits"] == []


def test_diff_inspected_counts_frames_where_times_are_exact():
    # the same runs with other durations, and a frame more
    diff = diff_inspected(clip([5, 5, 5, 7, 7]), clip([5, 5, 7, 7, 7, 7]))
    assert diff.only_times_differ
    assert counts(diff) == {"phonetic": Counts(2, frames=6, different_frames=2)}
    merged = diff_inspected(line("[SPEECH][Hu5][Hu7]"), line("[SPEECH][Hu5][Hu7]"))
    assert counts(merged) == {"phonetic": Counts(2)}


def test_diff_inspected_of_a_line_without_repeats_and_its_clip():
    merged = line("[SPEECH][St9][Pi3][Hu5][Hu7]")
    whole = clip([5, 5, 5, 7], [3, 3], [9])
    assert diff_inspected(merged, whole).equal
    assert diff_inspected(whole, merged).equal
    assert not diff_inspected(line("[SPEECH][St9][Hu5][Pi3][Hu7]"), whole).equal


def test_diff_inspected_of_a_stream_on_one_side():
    diff = diff_inspected(clip([5, 5, 7, 7], [3, 4], [1]), clip([5, 5, 7, 7]))
    assert counts(diff) == {
        "phonetic": Counts(2, frames=4),
        "pitch": Counts(2, deletions=2, frames=4, different_frames=4),
        "style": Counts(1, deletions=1, frames=4, different_frames=4),
    }


def test_diff_inspected_of_text():
    diff = diff_inspected(line("[TEXT]the old  man sat"), line("[TEXT]the old man sat down"))
    # whitespace counts
    assert counts(diff) == {"text": Counts(4, substitutions=2, insertions=1)}
    assert diff_inspected(line("[TEXT] "), line("[TEXT]  ")).streams[0].counts.distance == 1


def test_diff_inspected_of_empty_lines():
    assert diff_inspected(line(""), line("")).equal
    diff = diff_inspected(line(""), line("[SPEECH][Hu5]"))
    assert counts(diff) == {"phonetic": Counts(0, insertions=1)}
    assert diff.streams[0].counts.error_rate is None


def test_diff_inspected_sees_the_order_of_units():
    diff = diff_inspected(line("[SPEECH][Pi1][Hu5][Hu7]"), line("[SPEECH][Hu5][Pi1][Hu7]"))
    assert not diff.equal
    assert diff.only_times_differ


@pytest.mark.parametrize(
    ("context", "expected"),
    [(0, [(3, 4), (8, 9)]), (1, [(2, 5), (7, 10)]), (2, [(1, 10)]), (20, [(0, 10)])],
)
def test_stretches_have_context(context, expected):
    a = "".join(f"[Hu{unit}]" for unit in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9))
    b = "".join(f"[Hu{unit}]" for unit in (0, 1, 2, 13, 4, 5, 6, 7, 18, 9))
    stream = diff_inspected(line(f"[SPEECH]{a}"), line(f"[SPEECH]{b}")).streams[0]
    assert [(steps.start, steps.stop) for steps in stream.stretches(context)] == expected


def test_totals():
    totals = DiffTotals()
    pairs = [("[Hu1][Hu2][Hu3]", "[Hu1][Hu9][Hu3]"), ("[Hu2][Hu3]", "[Hu9][Hu4]"), ("[Hu7]", "[Hu7]")]
    for a, b in pairs:
        totals.add(diff_inspected(line(f"[SPEECH]{a}"), line(f"[SPEECH]{b}")))
    assert (totals.lines, totals.different, totals.equal) == (3, 2, False)
    assert totals.counts == {"phonetic": Counts(6, substitutions=3)}
    assert totals.most_confused("phonetic", 5) == [("Hu2", "Hu9", 2), ("Hu3", "Hu4", 1)]
    phonetic = totals.to_json()["streams"]["phonetic"]
    assert phonetic["error_rate"] == 0.5
    assert phonetic["confusions"][0] == {"a": "Hu2", "b": "Hu9", "count": 2}


def test_totals_of_missing_lines_are_not_equal():
    totals = DiffTotals()
    assert totals.equal
    totals.only_b = 1
    assert not totals.equal
