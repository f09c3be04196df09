from dataclasses import replace

import numpy as np
import pytest
from inspection_fixtures import clip, line

from spiritlm_cli.alignment.formats.textgrid import read_textgrid
from spiritlm_cli.errors import ManifestError, TokenError
from spiritlm_cli.inspection.inspected import Sound
from spiritlm_cli.inspection.textgrid import format_units_textgrid
from spiritlm_cli.manifests.clip import Waveform, Word

CLIP = clip([5, 5, 7, 7, 7], [3, 4], [9])


def tiers(text):
    """The tiers of a TextGrid as text: class, name, and (label, start, end) or (label, time) of each part."""
    head, *items = text.split("    item [")
    assert f"size = {len(items)}\n" in head
    found = []
    for item in items:
        values = [line.partition(" = ")[2] for line in item.splitlines() if " = " in line]
        kind, name, start, end = values[:4]
        assert start == "0"
        size = 2 if kind == '"TextTier"' else 3
        rest = values[5:]
        assert int(values[4]) == len(rest) / size
        parts = [(rest[i + size - 1], *map(float, rest[i : i + size - 1])) for i in range(0, len(rest), size)]
        if size == 3:
            # Praat's intervals are adjacent, from the start to the end
            edges = [parts[0][1], *(part[2] for part in parts)]
            assert [part[1] for part in parts] == edges[:-1]
            assert (edges[0], edges[-1]) == (0, float(end))
        found.append((kind.strip('"'), name.strip('"'), parts))
    return found


def test_format_units_textgrid_of_a_clip():
    assert tiers(format_units_textgrid(CLIP)) == [
        ("IntervalTier", "phonetic", [('"Hu5"', 0, 0.08), ('"Hu7"', 0.08, 0.2)]),
        ("IntervalTier", "pitch", [('"Pi3"', 0, 0.08), ('"Pi4"', 0.08, 0.2)]),
        ("IntervalTier", "style", [('"St9"', 0, 0.2)]),
    ]


def test_format_units_textgrid_ends_with_the_audio():
    sound = Sound(Waveform(np.zeros(4000, np.float32), 16000))
    assert tiers(format_units_textgrid(replace(CLIP, original=sound)))[0][2][-1] == ('""', 0.2, 0.25)


def test_format_units_textgrid_of_words(tmp_path):
    words = (
        Word('say "hi"', 0.05, 0.1),
        Word("日本", 0.1, 0.15),
        Word("-", 0.15, 0.15),
        Word("end", 0.18, 0.21),
    )
    text = format_units_textgrid(replace(CLIP, words=words, text='say "hi" …'))
    found = tiers(text)
    assert [name for _, name, _ in found] == ["phonetic", "pitch", "style", "words", "text"]
    assert found[3][2] == [
        ('""', 0, 0.05),
        ('"say ""hi"""', 0.05, 0.1),
        ('"日本 -"', 0.1, 0.15),
        ('""', 0.15, 0.18),
        ('"end"', 0.18, 0.21),
    ]
    assert found[4][2] == [('"say ""hi"" …"', 0, 0.21)]
    assert found[0][2][-1] == ('""', 0.2, 0.21)
    (tmp_path / "a.TextGrid").write_text(text)
    assert read_textgrid(tmp_path / "a.TextGrid").words == words


def test_format_units_textgrid_merges_units_without_duration():
    # each phonetic unit lasts 120 ms
    inspected = line("[SPEECH][Pi1][Hu5][Pi2][Pi3][Hu7][Pi4][Pi5]")
    assert tiers(format_units_textgrid(inspected))[1][2] == [
        ('"Pi1 Pi2"', 0, 0.12),
        ('"Pi3 Pi4 Pi5"', 0.12, 0.24),
    ]


def test_format_units_textgrid_of_texts():
    inspected = line('[TEXT]say "a"[SPEECH][Hu5][Hu7][TEXT]last\\u0000')
    kind, name, points = tiers(format_units_textgrid(inspected))[-1]
    assert (kind, name) == ("TextTier", "text")
    assert points == [('"say ""a"""', 0), ('"last\\u0000"', 0.24)]


def test_format_units_textgrid_joins_texts_at_one_time():
    inspected = line("[TEXT]one[SPEECH][Pi3][TEXT]two[SPEECH][Hu5]")
    assert tiers(format_units_textgrid(inspected))[-1][2] == [('"one two"', 0)]


def test_format_units_textgrid_is_read_as_one(tmp_path):
    (tmp_path / "a.TextGrid").write_text(format_units_textgrid(line('[SPEECH][Hu5][TEXT]" <x> ! 3')))
    # the only tier of intervals
    assert [word.word for word in read_textgrid(tmp_path / "a.TextGrid").words] == ["Hu5"]
    (tmp_path / "b.TextGrid").write_text(format_units_textgrid(CLIP))
    with pytest.raises(ManifestError, match="phonetic, pitch, style"):
        read_textgrid(tmp_path / "b.TextGrid")


@pytest.mark.parametrize("text", ["", "[TEXT]words"])
def test_format_units_textgrid_without_speech(text):
    with pytest.raises(TokenError, match="no speech"):
        format_units_textgrid(line(text))
