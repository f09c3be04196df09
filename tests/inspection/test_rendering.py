import io
import json
import re

import numpy as np
import pytest
from inspection_fixtures import line
from rich.cells import cell_len
from rich.console import Console

from spiritlm_cli.inspection.inspected import Inspected, Sound
from spiritlm_cli.inspection.rendering import (
    MAX_ROWS,
    inspected_to_json,
    print_inspected,
    print_statistics,
)
from spiritlm_cli.inspection.statistics import UnitStatistics
from spiritlm_cli.inspection.timeline import units_timeline
from spiritlm_cli.manifests.clip import Waveform, Word
from spiritlm_cli.tokens.sequence import Sequence
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.tokens.units import Kind, Units

HOSTILE = "\x1b[31m[bold]\u202e\r\n"
INTERLEAVED = "[TEXT]the cat [SPEECH][St1][Pi2][Hu5][Hu5][Hu7][TEXT]sat"


@pytest.fixture
def clip():
    units = Units(np.array([5, 5, 7, 8]), np.array([3, 4]), np.array([9]))
    return Inspected(
        "c",
        "c.wav",
        Sequence.of([merge_streams(units)]),
        units_timeline(units),
        Sound(Waveform(np.ones(2560, np.float32), 16000)),
        words=(Word("a", 0.0, 0.123456),),
        text="A!",
    )


def shown(inspected, width=80, terminal=False, **options):
    file = io.StringIO()
    console = Console(
        file=file, width=width, force_terminal=terminal, color_system="standard" if terminal else None
    )
    if isinstance(inspected, UnitStatistics):
        print_statistics(inspected, console, **options)
    else:
        print_inspected(inspected, console, **options)
    return file.getvalue()


def test_print_inspected_of_a_line():
    printed = shown(line(INTERLEAVED, "clip-7")).splitlines()
    assert printed[:2] == [
        "clip-7  lines.txt",
        "0.12 s of speech (durations exact), silence n/a; 3 words of text",
    ]
    spans = printed.index("span    from s  to s  Hu  Pi  St  chars  words  text")
    assert printed[spans + 1 :] == [
        "text      0.00  0.00                  8      2  the cat",
        "speech    0.00  0.12   3   1   1",
        "text      0.12  0.12                  3      1  sat",
        "",
        INTERLEAVED,
        "",
    ]


def test_print_inspected_of_a_clip(clip):
    printed = shown(clip).splitlines()
    assert printed[:3] == [
        "c  c.wav",
        "0.16 s of speech (durations exact), silence 0 %",
        "transcript: A!",
    ]
    assert printed[-2] == "[SPEECH][St9][Pi3][Hu5][Pi4][Hu7][Hu8]"


def test_print_inspected_of_other_lines():
    assert shown(line("", source="-")).startswith("1  stdin\n")
    assert shown(line("", "x")) == "x  lines.txt\nempty: no speech and no text\n\n"
    text = shown(line("[TEXT]just text"))
    assert "\n2 words of text\n" in text
    assert "runs" not in text
    base = shown(line("[SPEECH][Hu1][Hu2]"))
    assert "durations predicted" in base
    assert "Pi" not in base
    assert base.endswith("\n[SPEECH][Hu1][Hu2]\n\n")


def test_print_inspected_is_one_plain_line_if_not_on_a_terminal():
    text = "[SPEECH]" + "[Hu1][Hu2][Pi3]" * 2000
    printed = shown(line(text))
    assert text in printed.splitlines()
    assert "\x1b" not in printed


@pytest.mark.parametrize("width", [60, 80, 120])
def test_print_inspected_on_a_terminal(width):
    printed = shown(line("[TEXT]the cat [SPEECH]" + "[St4][Pi3][Hu1][Hu2]" * 30), width, terminal=True)
    assert "\x1b[35m[Pi3]\x1b[0m" in printed
    assert "\x1b[31m[St4]\x1b[0m" in printed
    plain = shown(line("[TEXT]the cat [SPEECH]" + "[St4][Pi3][Hu1][Hu2]" * 30), width)
    assert max(cell_len(text.rstrip()) for text in plain.splitlines()[2:-2]) <= width


def test_print_inspected_shortens_on_a_terminal_only():
    inspected = line("[SPEECH]" + "[Hu1][Hu2]" * 4000)
    printed = shown(inspected, 60, terminal=True).splitlines()
    # 12 units of 5 columns in a row, and two fewer in the first one, which has the marker
    assert printed[-3].startswith("\x1b[2m… 467 of 667 rows are not shown")
    assert sum(text.startswith("[Hu") for text in printed) == MAX_ROWS - 1
    assert "not shown" not in shown(inspected, 60)


@pytest.mark.parametrize("terminal", [False, True])
def test_tables_are_lists_where_they_do_not_fit(terminal):
    printed = shown(line(INTERLEAVED), 40, terminal)
    assert "\ndifferent units\n  Hu: 2\n  Pi: 1\n  St: 1\n" in re.sub("\x1b\\[[0-9;]*m", "", printed)
    plain = shown(line(INTERLEAVED), 40)
    assert "\ntext\n  from s: 0.12\n  to s: 0.12\n  chars: 3\n  words: 1\n  text: sat\n" in plain
    assert max(map(cell_len, plain.splitlines()[2:-2])) <= 40


def test_print_statistics_on_a_narrow_terminal(clip):
    statistics = UnitStatistics({Kind.HUBERT: 500})
    for inspected in (clip, line(INTERLEAVED), line("[SPEECH][Hu101][Hu102][Hu103]" + "[Hu7][Hu5]" * 9)):
        statistics.add(inspected)
    printed = re.sub("\x1b\\[[0-9;]*m", "", shown(statistics, 36, terminal=True)).splitlines()
    assert max(map(cell_len, printed)) <= 36
    assert "[Hu101][Hu102][Hu103]" in printed
    legend = [text for text in printed if text.startswith(("· never  ▁ once", "character for each id"))]
    assert legend[:2] == ["· never  ▁ once  ▇ 11 times; one", "character for each id"]


@pytest.mark.parametrize("terminal", [False, True])
def test_hostile_ids_and_texts_are_printed_literally(terminal):
    inspected = line("[TEXT]a\\[bold]\x1b[2J\u202e[SPEECH][Hu1]", HOSTILE, HOSTILE)
    printed = shown(inspected, terminal=terminal)
    assert "\ufffd[31m[bold]\ufffd" in printed
    assert "a\\[bold]\ufffd\\[2J\ufffd" in printed
    assert "6 characters that could control the terminal" in printed
    assert "\x1b[2J" not in printed
    assert not [c for c in printed if not (c.isprintable() or c == "\n" or (terminal and c == "\x1b"))]
    assert json.loads(json.dumps(inspected_to_json(inspected)))["id"] == HOSTILE


def test_replaced_characters_of_an_id_are_noted():
    printed = shown(line("", "a\x1bb"))
    assert printed.startswith("a\ufffdb  lines.txt\n")
    assert printed.endswith("\n1 character that could control the terminal: shown as \ufffd; see --json\n\n")


def test_inspected_to_json(clip):
    shown = json.loads(json.dumps(inspected_to_json(clip, {Kind.HUBERT: 512}), allow_nan=False))
    statistics = shown.pop("statistics")
    assert shown == {
        "id": "c",
        "source": "c.wav",
        "seconds": 0.16,
        "timing": "exact",
        "text": "A!",
        "words": [{"word": "a", "start": 0, "end": 0.123, "confidence": None}],
        "spans": [
            {
                "modality": "speech",
                "start": 0,
                "end": 0.16,
                "units": {"Hu": 3, "Pi": 2, "St": 1},
                "text": "",
                "words": 1,
            }
        ],
        "lanes": {
            "Hu": [[5, 0, 0.08], [7, 0.08, 0.12], [8, 0.12, 0.16]],
            "Pi": [[3, 0, 0.08], [4, 0.08, 0.16]],
            "St": [[9, 0, 0.16]],
        },
        "line": "[SPEECH][St9][Pi3][Hu5][Pi4][Hu7][Hu8]",
    }
    assert statistics["silent_share"] == 0
    assert statistics["streams"]["Hu"]["fixed_length_bits_per_second"] == pytest.approx(3 * 9 / 0.16)


def test_inspected_to_json_of_lines():
    parsed = json.loads(json.dumps(inspected_to_json(line(INTERLEAVED)), allow_nan=False))
    assert parsed["line"] == INTERLEAVED
    assert [span["modality"] for span in parsed["spans"]] == ["text", "speech", "text"]
    assert parsed["statistics"]["silent_share"] is None
    empty = json.loads(json.dumps(inspected_to_json(line("")), allow_nan=False))
    assert (empty["line"], empty["spans"], empty["seconds"]) == ("", [], 0)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_print_statistics(clip, width):
    statistics = UnitStatistics({Kind.HUBERT: 500})
    for inspected in (clip, line(INTERLEAVED), line("[SPEECH][Hu1][Hu2]"), line("")):
        statistics.add(inspected)
    printed = shown(statistics, width).splitlines()
    assert printed[:4] == [
        "4 inputs (1 empty, 2 speech, 1 speech and text), 0.5 s of speech, silence 0 %",
        "durations predicted for 1 input",
        "3 words in 2 text spans, 3 speech spans, 2 switches of modality",
        "",
    ]
    assert max(map(cell_len, printed[3:])) <= width
    units = printed.index("Hu: most frequent units, with mean durations")
    assert printed[units + 1].startswith("[Hu5]  2   28.6 %   80 ms  ━━━━━━")
    bigrams = printed.index("Hu: most frequent bigrams of runs")
    assert printed[bigrams + 1].startswith("[Hu5][Hu7]  2   50.0 %  ━━━━━━")
    durations = printed.index("Pi: durations of runs in ms")
    assert printed[durations + 1].split()[:2] == ["80", "2"]
    assert "seconds of speech an input" in printed


def test_print_statistics_of_nothing():
    assert shown(UnitStatistics()) == "0 inputs, 0.0 s of speech, silence n/a\n"


def test_print_statistics_of_units_that_the_model_does_not_have():
    statistics = UnitStatistics({Kind.PITCH: 64})
    statistics.add(line("[SPEECH][Pi1000000][Hu1][St999999999999999999]"))
    printed = shown(statistics).splitlines()
    assert any(text.split() == ["runs", "outside", "codebook", "0", "1", "1"] for text in printed)
    # the grid has the codebook alone, and a stream of ids that no model has is in the table only
    assert "0  " + "·" * 64 in [text.strip() for text in printed]
    assert not any(text.startswith("St:") for text in printed)
