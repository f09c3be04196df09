import io
from dataclasses import replace

from inspection_fixtures import clip, line
from rich.console import Console

from spiritlm_cli.alignment.pocketsphinx import Phone
from spiritlm_cli.inspection.concordance import PlaceCounts, find_places, parse_units
from spiritlm_cli.inspection.concordance_rendering import (
    print_heading,
    print_phones,
    print_place,
    print_place_counts,
)
from spiritlm_cli.inspection.unit_phones import PhoneCounts
from spiritlm_cli.manifests.clip import Word


def printed(function, *arguments):
    file = io.StringIO()
    function(Console(file=file, width=60), *arguments)
    return file.getvalue()


def places(inspected, context=1):
    return list(find_places(inspected, parse_units("Hu7"), context))


def test_places_stand_below_each_other():
    words = (Word("the", 0, 0.1), Word("cat", 0.1, 0.3))
    first, second = places(replace(clip([5, 7, 7, 250, 7], name="a b"), words=words))
    assert printed(print_heading, 1, False) == "   from s     to s         units\n"
    assert printed(print_place, first, 1, None) == "     0.04     0.12     Hu5 Hu7 Hu250   a b  the cat\n"
    assert printed(print_place, second, 1, None) == "     0.16     0.20   Hu250 Hu7         a b  cat\n"


def test_print_place_with_sound_and_predicted_times():
    [place] = places(line("[SPEECH][Hu5][Hu7]"))
    assert printed(print_heading, 1, True) == "   from s     to s in sound         units\n"
    assert printed(print_place, place, 1, 0.06) == "    ~0.12    ~0.24     0.06     Hu5 Hu7         1\n"


def test_print_place_of_a_hostile_id():
    [place] = places(clip([7], name="\x1b[31m\nx"))
    assert printed(print_place, place, 0, None) == "     0.00     0.04   Hu7   \ufffd[31m x\n"


def test_print_place_counts():
    counts = PlaceCounts()
    counts.add(places(clip([7, 7, 5, 7])))
    counts.add([])
    assert (
        printed(print_place_counts, "Hu7", counts, 2) == "Hu7: 2 places in 1 of 2 inputs; 60 ms on average\n"
    )
    counts.add(places(line("[SPEECH][Hu7]")))
    assert printed(print_place_counts, "Hu7", counts, 1) == (
        "Hu7: 3 places in 2 of 3 inputs; 80 ms on average; 1 of them are shown; "
        "times predicted by the vocoder: 1 (~)\n"
    )
    assert printed(print_place_counts, "Hu7", PlaceCounts(), 0) == "Hu7: 0 places in 0 of 0 inputs\n"


def test_print_phones():
    phones = PhoneCounts()
    assert "none" in printed(print_phones, phones)
    phones.add(places(clip([7, 7, 5])), (Phone("N", 0, 0.2),))
    phones.add(places(clip([7])), None)
    text = printed(print_phones, phones)
    assert text.startswith("phones of 1 clip; 1 without: 2 frames of 40 ms, purity 100.0 %\n")
    assert "N              100.0 %" in text
