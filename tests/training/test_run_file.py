import json
from pathlib import Path

import pytest

from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.training.options import PitchOptions
from spiritlm_cli.training.run_file import check_run, record_run


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "clips.tsv"
    path.write_text("audio\na.wav\n")
    return path


def test_record_run_writes_options_and_checksums(manifest: Path, tmp_path: Path) -> None:
    options = PitchOptions(manifest=manifest, output=tmp_path / "new", codes=3)
    record_run(options, "pitch")
    content = json.loads((tmp_path / "new/training/pitch.json").read_text())
    assert content["codes"] == 3
    assert content["manifest"].startswith("sha256:")
    assert "steps" not in content
    assert str(tmp_path) not in json.dumps(content)


def test_check_run_accepts_a_moved_manifest_and_refuses_a_changed_one(manifest: Path, tmp_path: Path) -> None:
    weights = tmp_path / "new" / "weights"
    record_run(PitchOptions(manifest=manifest, output=tmp_path / "new"), "pitch")
    moved = manifest.rename(tmp_path / "moved.tsv")
    resumed = PitchOptions(manifest=moved, output=tmp_path / "new", resume=True, steps=9, learning_rate=1e-9)
    check_run(resumed, "pitch", weights)
    moved.write_text("audio\nb.wav\n")
    with pytest.raises(CheckpointError, match=r"pitch\.json: started with another --manifest; give the same"):
        check_run(resumed, "pitch", weights)


def test_check_run_refuses_a_truncated_run_file(manifest: Path, tmp_path: Path) -> None:
    options = PitchOptions(manifest=manifest, output=tmp_path, resume=True)
    (tmp_path / "training").mkdir()
    (tmp_path / "training/pitch.json").write_text('{"codes": 3')
    with pytest.raises(CheckpointError, match="not a run file"):
        check_run(options, "pitch", tmp_path / "weights")
