import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from spiritlm_cli.errors import ManifestError, OptionError
from spiritlm_cli.evaluation.records import read_items
from spiritlm_cli.jobs.evaluate import run
from spiritlm_cli.jobs.options import AbxOptions

HEADER = "#file onset offset #phone prev-phone next-phone speaker\n"


@pytest.fixture
def item_file(tmp_path: Path) -> Path:
    """A is e1, e2; B is e1, e1, e2, of speaker s in one context. A token of t is A and e1."""
    path = tmp_path / "dev.item"
    rows = [("one", 0.0, "A"), ("one", 0.1, "A"), ("one", 0.2, "B"), ("one", 0.3, "B"), ("one", 0.4, "B")]
    lines = [f"{file} {start} {start + 0.1:.1f} {phone} L R s\n" for file, start, phone in rows]
    path.write_text(HEADER + "".join(lines) + "two 0 0.1 A L R t\n")
    return path


@pytest.fixture
def features(tmp_path: Path) -> Path:
    """Two frames of 50 ms for each token, of which libri-light's rule takes the first."""
    folder = tmp_path / "features"
    folder.mkdir()
    vectors = np.eye(2, dtype=np.float32)
    np.save(folder / "one.npy", vectors[np.repeat([0, 1, 0, 0, 1], 2)])
    np.save(folder / "two.npy", vectors[np.repeat([0], 2)])
    return folder


def test_features_in_files(item_file: Path, features: Path, tmp_path: Path) -> None:
    options = AbxOptions(path=item_file, features=features, rate=20.0, output=tmp_path / "items.jsonl")
    summary = run(options)
    assert summary.result
    row = summary.result.row("within speaker")
    assert row.values["error"].value == pytest.approx(0.6667, abs=5e-5)
    assert summary.result.row("across speakers").values["error"].value == pytest.approx(1 - 2.5 / 6)
    description, records = read_items(tmp_path / "items.jsonl")
    assert description.model is None
    assert description.facts["ABX of"] == "features at 20 Hz"
    assert (description.facts["slices of"], description.facts["seed"]) == ("libri-light", 0)
    assert [record["id"] for record in records] == ["within s s L R", "across s t L R"]


def test_phones_without_frames_are_counted(item_file: Path, features: Path) -> None:
    with item_file.open("a") as file:
        file.write("one 0.5 0.5 A L R s\n")
    result = run(AbxOptions(path=item_file, features=features, rate=20.0)).result
    assert result
    assert result.counts["phones without frames"] == 1
    assert result.row("within speaker").values["error"].value == pytest.approx(0.6667, abs=5e-5)


def test_groups_of_a_missing_file_are_skipped(item_file: Path, features: Path) -> None:
    (features / "two.npy").unlink()
    options: dict[str, Any] = {"path": item_file, "features": features, "rate": 20.0}
    with pytest.raises(ManifestError, match="no file of the name 'two'"):
        run(AbxOptions(**options))
    summary = run(AbxOptions(**options, on_error="skip"))
    assert summary.result
    assert (summary.result.items, summary.result.skipped) == (1, 1)


@pytest.mark.parametrize("layer", [None, 1])
def test_units_and_layers_of_a_model(
    release_tree: Path, recording_file: Path, tmp_path: Path, layer: int | None
) -> None:
    samples, rate = soundfile.read(recording_file)
    (tmp_path / "audio").mkdir()
    soundfile.write(tmp_path / "audio" / "x.wav", samples[: 2 * rate], rate)
    path = tmp_path / "dev.item"
    starts = [(0.1, "A"), (0.4, "A"), (0.8, "B"), (1.2, "B")]
    path.write_text(HEADER + "".join(f"x {at} {at + 0.3:.1f} {phone} L R s\n" for at, phone in starts))
    options: dict[str, Any] = {
        "path": path,
        "audio": tmp_path / "audio",
        "model": str(release_tree),
        "device": "cpu",
        "layer": layer,
    }
    results = [run(AbxOptions(**options, batch_seconds=seconds)).result for seconds in (0.5, 50)]
    assert all(results)
    one, other = (json.dumps(found.to_json()["rows"]) for found in results if found)
    assert one == other
    assert results[0]
    assert set(results[0].description.parts) == {"tokenizer"}
    assert results[0].description.units is None
    assert results[0].counts["triples"] == 8
    if layer:
        with pytest.raises(OptionError, match="there is no layer 99; the last is ") as caught:
            run(AbxOptions(**options | {"layer": 99}))
        assert caught.value.option == "--layer"
