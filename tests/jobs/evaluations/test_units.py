import json
from pathlib import Path
from typing import Any

import pytest
import soundfile

from spiritlm_cli.alignment.formats.textgrid import Interval, Tier, format_tiers
from spiritlm_cli.errors import AlignmentError, AudioError
from spiritlm_cli.evaluation.records import read_items
from spiritlm_cli.jobs.evaluate import run
from spiritlm_cli.jobs.options import UnitsOptions


@pytest.fixture
def folder(tmp_path: Path, recording_file: Path) -> Path:
    """Two recordings of half a second."""
    samples, rate = soundfile.read(recording_file)
    folder = tmp_path / "recordings"
    folder.mkdir()
    for name, start in (("a", 0), ("b", rate)):
        soundfile.write(folder / f"{name}.wav", samples[start : start + rate // 2], rate)
    return folder


@pytest.fixture
def options(release_tree: Path, folder: Path, tmp_path: Path) -> dict[str, Any]:
    return {
        "data": folder,
        "model": str(release_tree),
        "device": "cpu",
        "phones": False,
        "output": tmp_path / "items.jsonl",
    }


def test_units_do_not_depend_on_the_batch(options: dict[str, Any], tmp_path: Path) -> None:
    results = [
        run(UnitsOptions(**options | {"output": tmp_path / f"{seconds}.jsonl"}, batch_seconds=seconds)).result
        for seconds in (0.5, 50)
    ]
    assert results[0]
    assert results[1]
    assert results[0].rows == results[1].rows
    kinds = {(row.kind, row.name) for row in results[0].rows}
    assert kinds == {
        (None, "phonetic"),
        (None, "pitch"),
        (None, "style"),
        (None, "all streams"),
        *(("change", name) for name in ("stretch", "pitch", "reverb", "noise")),
    }
    assert results[0].row("all streams").values["bitrate"].value == sum(
        results[0].row(name).values["bitrate"].value for name in ("phonetic", "pitch", "style")
    )


def test_one_change_of_one_seed_is_the_same_alone(options: dict[str, Any], tmp_path: Path) -> None:
    run(UnitsOptions(**options))
    run(UnitsOptions(**options | {"output": tmp_path / "noise.jsonl"}, augmentations="noise", limit=1))
    (_, all_changes), (_, noise) = read_items(tmp_path / "items.jsonl"), read_items(tmp_path / "noise.jsonl")
    assert noise[0]["changes"] == {"noise": all_changes[0]["changes"]["noise"]}
    assert noise[0]["units"] == all_changes[0]["units"]


def test_a_clip_that_is_too_short_is_skipped(options: dict[str, Any], folder: Path) -> None:
    samples, rate = soundfile.read(folder / "b.wav")
    soundfile.write(folder / "b.wav", samples[:10], rate)
    summary = run(UnitsOptions(**options, on_error="skip"))
    assert (summary.inputs, summary.failed) == (2, 1)
    with pytest.raises(AudioError, match="too short"):
        run(UnitsOptions(**options | {"output": None}))


def test_phones_of_textgrids(options: dict[str, Any], tmp_path: Path) -> None:
    aligned = tmp_path / "aligned"
    aligned.mkdir()
    phones = Tier("phones", [Interval(0.0, 0.16, "AH0"), Interval(0.24, 0.32, "T")])
    for name in "ab":
        (aligned / f"{name}.TextGrid").write_text(format_tiers([Tier("words", []), phones], 1.0))
    settings = options | {"phones": True, "alignments": aligned, "augmentations": "none"}
    result = run(UnitsOptions(**settings)).result
    assert result
    assert "pnmi" in result.row("phonetic").values
    description, records = read_items(tmp_path / "items.jsonl")
    assert description.facts["phones of"] == "aligned"
    names = records[0]["phones"]
    assert names[:8] == ["AH"] * 4 + ["SIL"] * 2 + ["T"] * 2
    assert set(names[8:]) == {"SIL"}
    (aligned / "b.TextGrid").unlink()
    with pytest.raises(AlignmentError, match=r"b: .* has no alignment of this id"):
        run(UnitsOptions(**settings | {"output": None}))


def test_phones_aligned_with_texts(options: dict[str, Any], folder: Path, tmp_path: Path) -> None:
    (folder / "b.txt").write_text("entirely different words that nobody says in this second")
    settings = options | {"phones": True, "augmentations": "none"}
    result = run(UnitsOptions(**settings)).result
    assert result
    assert "pnmi" not in result.row("phonetic").values
    assert json.loads((tmp_path / "items.jsonl").read_text().splitlines()[2])["text"].startswith("entirely")
