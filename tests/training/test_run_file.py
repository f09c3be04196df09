import dataclasses
import json
from pathlib import Path

import pytest
import yaml

from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.training.language_model_options import LanguageModelOptions
from spiritlm_cli.training.options import PitchOptions
from spiritlm_cli.training.run_file import check_run, options_yaml, record_run


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


def test_options_yaml_has_absolute_paths_and_long_names(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = options_yaml(
        PitchOptions(manifest=Path("clips.tsv"), output=tmp_path, learning_rate=1e-9), "pitch"
    )
    values = yaml.safe_load(text)
    assert text.startswith("# options of `spiritlm train pitch`")
    assert values["manifest"] == str(manifest)
    assert values["learning-rate"] == 1e-9
    assert not {"output", "resume", "overwrite", "wandb"} & values.keys()
    (tmp_path / "model").mkdir()
    options = LanguageModelOptions(base="model", tokenizer="nano", task="asr", output=tmp_path)
    values = yaml.safe_load(options_yaml(options, "lm"))
    assert (values["from"], values["tokenizer"], values["task"]) == (str(tmp_path / "model"), "nano", "asr")


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


def test_check_run_notices_other_files_among_several(tmp_path: Path) -> None:
    for name in ("1.txt", "2.txt", "folder/3.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    paths = (tmp_path / "1.txt", tmp_path / "2.txt", tmp_path / "folder")
    options = LanguageModelOptions(text=paths, output=tmp_path)
    record_run(options, "lm")
    resumed = dataclasses.replace(options, resume=True)
    check_run(resumed, "lm", tmp_path / "weights")
    with pytest.raises(CheckpointError, match="another --text"):
        check_run(dataclasses.replace(resumed, text=paths[:2]), "lm", tmp_path / "weights")
    (tmp_path / "folder/4.txt").touch()
    with pytest.raises(CheckpointError, match="another --text"):
        check_run(resumed, "lm", tmp_path / "weights")


def test_record_run_removes_the_states_of_all_processes(tmp_path: Path) -> None:
    (tmp_path / "training").mkdir()
    for name in ("lm.pt", "lm.1.pt", "lm.12.pt", "vocoder.pt"):
        (tmp_path / "training" / name).touch()
    record_run(LanguageModelOptions(output=tmp_path, overwrite=True), "lm")
    assert [path.name for path in (tmp_path / "training").glob("*.pt")] == ["vocoder.pt"]


def test_overwrite_removes_what_the_run_before_has_validated(tmp_path: Path) -> None:
    best = tmp_path / "best" / "model.safetensors"
    transcripts = tmp_path / "training" / "transcripts" / "200.jsonl"
    for path in (best, transcripts):
        path.parent.mkdir(parents=True)
        path.touch()
    record_run(LanguageModelOptions(output=tmp_path, steps=2), "lm")
    assert best.exists()
    record_run(LanguageModelOptions(output=tmp_path, steps=2, overwrite=True), "lm")
    assert not best.parent.exists()
    assert not transcripts.parent.exists()


def test_check_run_removes_the_temporary_files_of_a_killed_run(manifest: Path, tmp_path: Path) -> None:
    output = tmp_path / "new"
    names = (".tmp-spiritlm-0a1b2c3d.json", "training/.tmp-spiritlm-0a1b2c3d.pt", "notes.txt")
    for name in names:
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        (output / name).touch()
    check_run(PitchOptions(manifest=manifest, output=output), "pitch", output / "model.safetensors")
    assert [(output / name).exists() for name in names] == [False, False, True]
