import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spiritlm_cli.errors import AudioError, OptionError, TokenError
from spiritlm_cli.jobs.inspect_unit import InspectUnitOptions, run
from spiritlm_cli.jobs.tokenize import TokenizeOptions
from spiritlm_cli.jobs.tokenize import run as tokenize

LINES = "a\t[SPEECH][Hu5][Hu5][Hu7][Hu9]\nb\t[TEXT]Hu5\nc\t\nd\t[SPEECH][Hu7][Hu9][Hu7][Hu9]\n"


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "lines"
    path.write_text(LINES)
    return path


@pytest.fixture
def base(small: dict[str, str]) -> dict[str, str]:
    """The stand-in checkpoint, with phonetic units only."""
    return {**small, "units": "base"}


def find(unit: str, *inputs: Path, **options):
    return run(InspectUnitOptions(unit=unit, inputs=tuple(map(str, inputs)), **options))


def test_run_lists_all_places(lines, base, capsys):
    found = find("Hu7 Hu9", lines, context=1, **base)
    assert (found.inputs, found.places, found.failed, found.phones) == (4, 3, 0, None)
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[-1] for row in rows[1:4]] == ["a", "d", "d"]
    assert rows[1].startswith("     0.08     0.16")
    assert rows[-1].startswith("Hu7 Hu9: 3 places in 2 of 4 inputs; ")
    assert rows[-1].endswith("times predicted by the vocoder: 2 (~)")


def test_run_as_json(lines, base, capsys):
    find("Hu7", lines, as_json=True, limit=2, **base)
    found = json.loads(capsys.readouterr().out)
    assert (found["unit"], found["count"], found["shown"], found["inputs"]) == ("Hu7", 3, 2, 4)
    assert [(place["id"], place["times"], place["sound"]) for place in found["places"]] == [
        ("a", "exact", None),
        ("d", "predicted", None),
    ]


def test_run_draws_places(lines, base, capsys):
    drawn = set()
    for seed in (0, 1, 2):
        find("Hu7", lines, as_json=True, limit=1, seed=seed, **base)
        [place] = json.loads(capsys.readouterr().out)["places"]
        drawn.add((place["id"], place["start"]))
    assert len(drawn) > 1


def test_run_without_places(lines, base, capsys, tmp_path):
    assert find("Hu400", lines, **base).places == 0
    assert capsys.readouterr().out == "Hu400: 0 places in 0 of 4 inputs\n"
    with pytest.raises(AudioError, match=r"out\.wav: not written"):
        find("Hu400", lines, output=str(tmp_path / "out.wav"), **base)
    assert not (tmp_path / "out.wav").exists()


def test_run_joins_the_sound_of_lines(lines, base, capsys, tmp_path):
    output = tmp_path / "out.wav"
    find("Hu7", lines, output=str(output), as_json=True, context_ms=40, **base)
    places = json.loads(capsys.readouterr().out)["places"]
    samples, rate = soundfile.read(output)
    assert rate == 16000
    at = [place["sound"]["at"] for place in places]
    assert {place["sound"]["of"] for place in places} == {"resynthesis"}
    # The first place has 40 ms before and after it; the second is at the beginning of its line.
    assert at[0] == 0.04
    assert at[1] == pytest.approx(0.12 + 0.2)
    pause = samples[round(0.12 * rate) : round(0.32 * rate)]
    assert not pause.any()
    ends = places[2]["end"] - places[2]["start"] + 0.04
    assert len(samples) / rate == pytest.approx(at[2] + ends, abs=0.001)


def test_run_cuts_the_sound_of_clips(short, base, capsys, tmp_path):
    lines = tmp_path / "units"
    tokenize(TokenizeOptions(audio=(str(short),), output=lines, **base))
    unit = lines.read_text().removeprefix("[SPEECH]").split("]")[1][1:]
    capsys.readouterr()
    found = find(unit, short, output=str(tmp_path / "out.wav"), context_ms=0, as_json=True, **base)
    place = json.loads(capsys.readouterr().out)["places"][0]
    assert (place["times"], place["sound"]) == ("exact", {"at": 0.0, "of": "original"})
    original, rate = soundfile.read(short)
    samples, _ = soundfile.read(tmp_path / "out.wav")
    first, last = round(place["start"] * rate), round(place["end"] * rate)
    cut = samples[: last - first]
    assert np.corrcoef(cut[80:-80], original[first + 80 : last - 80])[0, 1] > 0.999
    assert np.sqrt(np.mean(cut**2)) == pytest.approx(0.05, rel=0.1)
    assert found.places >= 1


def test_run_with_phones(base, recording_file, tmp_path, capsys):
    text = "and a strip of cow skin for a belt to hold it in."
    rows = [{"id": "a", "audio": str(recording_file), "end": 3, "text": text}]
    rows += [{"id": "b", "audio": str(recording_file), "end": 0.5, "text": text}]
    manifest = tmp_path / "clips.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    find("Hu0", as_json=True, phones=True, manifest=str(manifest), **base)
    phones = json.loads(capsys.readouterr().out)["phones"]
    assert (phones["clips"], phones["clips_without_phones"]) == (1, 1)


def test_run_at_a_bad_line(base, lines, tmp_path):
    lines.write_text(LINES + "bad\t[Hu]\n")
    with pytest.raises(TokenError, match="line 5"):
        find("Hu7", lines, **base)
    errors = tmp_path / "errors"
    found = find("Hu7", lines, on_error="skip", errors=errors, **base)
    assert (found.places, found.failed) == (3, 1)
    assert errors.read_text().startswith("bad\t")


def test_run_cuts_the_sound_of_lines_with_repeats(short, base, tmp_path, capsys):
    lines, manifest = tmp_path / "lines", tmp_path / "clips.tsv"
    # of the two lines with audio, the first has its times
    lines.write_text("a\t[SPEECH][Hu5][Hu5][Hu7]\nb\t[SPEECH][Hu7][Hu9]\nc\t[SPEECH][Hu5][Hu5][Hu7]\n")
    manifest.write_text(f"id\taudio\na\t{short}\nb\t{short}\n")
    output = tmp_path / "out.wav"
    find("Hu7", lines, manifest=str(manifest), output=str(output), context_ms=0, as_json=True, **base)
    places = json.loads(capsys.readouterr().out)["places"]
    assert [place["sound"]["of"] for place in places] == ["original", "resynthesis", "resynthesis"]
    original, _ = soundfile.read(short, start=1280, stop=1920)
    cut, _ = soundfile.read(output, stop=640)
    assert np.corrcoef(cut[80:-80], original[80:-80])[0, 1] > 0.999


@pytest.mark.parametrize("unit", ["Hu500", "Hu1 Hu700", "Pi64"])
def test_run_refuses_units_that_the_model_does_not_have(lines, small, unit):
    with pytest.raises(OptionError, match=r"the model has \[(Hu0|Pi0)\] to \[(Hu499|Pi63)\]"):
        find(unit, lines, **small)
