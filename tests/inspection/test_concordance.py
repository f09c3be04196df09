from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspection_fixtures import clip, line

from spiritlm_cli.errors import TokenError
from spiritlm_cli.inspection.concordance import PlaceCounts, Selection, find_places, parse_units
from spiritlm_cli.manifests.clip import Word
from spiritlm_cli.tokens.units import Kind, Unit


@pytest.mark.parametrize("text", ["Hu28 Hu5", "[Hu28][Hu5]", " [Hu28] Hu5 "])
def test_parse_units(text):
    assert parse_units(text) == (Unit(Kind.HUBERT, 28), Unit(Kind.HUBERT, 5))


def test_parse_units_of_other_streams():
    assert parse_units("Pi3") == (Unit(Kind.PITCH, 3),)
    assert parse_units("St3") == (Unit(Kind.STYLE, 3),)


@pytest.mark.parametrize("text", ["", "hu28", "Hu", "Hu028", "Hu-1", "28", "Hu28,Hu5", "[TEXT]", "Hu28 x"])
def test_parse_units_refuses_others(text):
    with pytest.raises(TokenError, match="units are written 'Hu28'"):
        parse_units(text)


def test_parse_units_refuses_two_streams_and_repeats():
    with pytest.raises(TokenError, match="one stream"):
        parse_units("Hu28 Pi3")
    with pytest.raises(TokenError, match=r"run of \[Hu28\]"):
        parse_units("Hu28 Hu28")


def found(inspected, text, context=1):
    return [
        (place.start, place.end, place.before, place.units, place.after)
        for place in find_places(inspected, parse_units(text), context)
    ]


def test_find_places_of_a_clip():
    inspected = clip([5, 5, 7, 7, 7, 5, 9], [1, 1, 2], [4])
    assert found(inspected, "Hu5") == [
        (0, 0.08, (), ("Hu5",), ("Hu7",)),
        (pytest.approx(0.2), pytest.approx(0.24), ("Hu7",), ("Hu5",), ("Hu9",)),
    ]
    assert found(inspected, "Hu7 Hu5", context=3) == [
        (0.08, pytest.approx(0.24), ("Hu5",), ("Hu7", "Hu5"), ("Hu9",))
    ]
    assert found(inspected, "Pi2") == [(0.16, 0.28, ("Pi1",), ("Pi2",), ())]
    assert found(inspected, "Hu5", context=0)[0] == (0, 0.08, (), ("Hu5",), ())


def test_find_places_of_a_line_are_predicted():
    inspected = line("[SPEECH][Hu5][Hu7]")
    [place] = find_places(inspected, parse_units("Hu7"), 3)
    assert (place.start, place.end, place.predicted) == (0.12, 0.24, True)
    assert place.to_json() == {
        "id": "1",
        "source": "lines.txt",
        "start": 0.12,
        "end": 0.24,
        "times": "predicted",
        "before": ["Hu5"],
        "units": ["Hu7"],
        "after": [],
        "words": [],
    }


@pytest.mark.parametrize("text", ["", "[TEXT]Hu5 and \\[Hu5]", "[SPEECH][Hu7]", "[SPEECH][Hu7][Hu9][Hu7]"])
def test_find_places_where_there_are_none(text):
    assert found(line(text), "Hu5") == []
    assert found(line(text), "Hu7 Hu8 Hu9 Hu10") == []
    assert found(line(text), "Pi5") == []


def test_find_places_may_overlap():
    inspected = clip([5, 7, 5, 7, 5])
    assert len(found(inspected, "Hu5 Hu7 Hu5")) == 2


def test_find_places_gives_words():
    words = (Word("the", 0, 0.08), Word("cat", 0.08, 0.2), Word("sat", 0.2, 0.28))
    inspected = replace(clip([5, 5, 7, 7, 7, 5, 9]), words=words)
    places = find_places(inspected, parse_units("Hu7 Hu5"), 0)
    assert [place.words for place in places] == [("cat", "sat")]


def test_place_counts():
    counts = PlaceCounts()
    for inspected in (clip([5, 5, 7, 5]), line("[SPEECH][Hu5][Hu7]"), clip([9])):
        counts.add(list(find_places(inspected, parse_units("Hu5"), 0)))
    assert counts.to_json() == {
        "inputs": 3,
        "inputs_with_it": 2,
        "count": 3,
        "predicted_times": 1,
        "mean_seconds": 0.08,
    }
    assert PlaceCounts().to_json()["mean_seconds"] is None


def select(items, **options):
    selection = Selection(**options)
    shown = [one for item in items if selection.wants() for one in selection.add(item)]
    return shown + selection.drawn(), selection.count


def test_selection_of_all_and_of_the_first():
    assert select("abcde") == (list("abcde"), 5)
    assert select("abcde", limit=2) == (["a", "b"], 5)
    assert select("ab", limit=5) == (["a", "b"], 2)


@given(st.integers(0, 30), st.integers(1, 10), st.integers(0, 2**32))
def test_selection_of_random_items_is_in_order(count, limit, seed):
    items, total = select(range(count), limit=limit, seed=seed)
    assert total == count
    assert items == sorted(set(items))
    assert len(items) == min(count, limit)


def test_selection_of_random_items_is_uniform():
    counts = Counter(item for seed in range(2000) for item in select(range(5), limit=2, seed=seed)[0])
    assert all(700 < counts[item] < 900 for item in range(5))  # 800 each, standard deviation 22
    assert select(range(50), limit=5, seed=3) == select(range(50), limit=5, seed=3)
