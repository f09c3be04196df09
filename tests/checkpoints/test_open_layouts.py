"""The files of open models, and what they lack."""

import json
import os
import pickle
import shutil
from pathlib import Path

import pytest
from open_models import HUBERT

from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.checkpoints.open_layouts import TwistCheckpoint
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.vocoder.vocoder import Vocoder


def test_twist_names_what_it_lacks(twist_folder: Path, tmp_path: Path) -> None:
    checkpoint = find_checkpoint(str(twist_folder))
    for part in ("pitch", "pitch_config", "style"):
        with pytest.raises(CheckpointError, match=r"twist has no (pitch|style) units; .* --units base"):
            getattr(checkpoint, part)
    for method in (checkpoint.vocoder_config, checkpoint.generator):
        with pytest.raises(CheckpointError, match="twist has no vocoder for pitch and style units"):
            method(True)
    with pytest.raises(CheckpointError, match="a tokenizer and a vocoder, and no language model"):
        checkpoint.language_model(False)
    (tmp_path / TwistCheckpoint.GENERATOR).touch()
    vocoder = find_checkpoint(str(tmp_path))
    assert vocoder.generator(False) == tmp_path / TwistCheckpoint.GENERATOR
    for part, name in (
        ("hubert", r"model\.safetensors: missing \(or pytorch_model\.bin\)"),
        ("quantizer", r"km500\.bin: missing"),
    ):
        with pytest.raises(CheckpointError, match=name):
            getattr(vocoder, part)
    with pytest.raises(CheckpointError, match=r"25hz_config\.json: missing"):
        vocoder.vocoder_config(False)


@pytest.mark.parametrize("units", ["base", "expressive"])
def test_language_model_folder_is_expressive_by_its_vocabulary(release_tree: Path, units: str) -> None:
    checkpoint = find_checkpoint(str(release_tree / "spiritlm_model" / f"spirit-lm-{units}-7b"))
    assert checkpoint.is_expressive == (units == "expressive")


def test_language_model_folder_names_what_it_lacks(release_tree: Path) -> None:
    checkpoint = find_checkpoint(str(release_tree / "spiritlm_model" / "spirit-lm-base-7b"))
    for part in ("hubert", "quantizer", "pitch", "pitch_config", "style"):
        with pytest.raises(CheckpointError, match="has no speech tokenizer; --tokenizer names the model"):
            getattr(checkpoint, part)
    for method in (checkpoint.vocoder_config, checkpoint.generator):
        with pytest.raises(CheckpointError, match="has no vocoder; --vocoder names the model"):
            method(False)
    with pytest.raises(CheckpointError, match="has no speech tokenizer"):
        checkpoint.fingerprint()


class RunsCode:
    """Pickled, it makes a folder when it is read by an ordinary unpickler."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize(
    "name",
    [
        f"{HUBERT}/model.safetensors",
        f"{HUBERT}/pytorch_model.bin",
        f"{HUBERT}/config.json",
        TwistCheckpoint.QUANTIZER,
        TwistCheckpoint.GENERATOR,
        TwistCheckpoint.VOCODER_CONFIG,
    ],
)
def test_no_file_of_twist_runs_code(twist_folder: Path, tmp_path: Path, name: str) -> None:
    folder, marker = tmp_path / "twist", tmp_path / "marker"
    shutil.copytree(twist_folder, folder)
    if name.endswith("pytorch_model.bin"):
        (folder / HUBERT / "model.safetensors").unlink()
    (folder / name).write_bytes(pickle.dumps(RunsCode(marker)))
    part = Vocoder if name in (TwistCheckpoint.GENERATOR, TwistCheckpoint.VOCODER_CONFIG) else SpeechTokenizer
    with pytest.raises(CheckpointError):
        part.load(str(folder), expressive=False, device="cpu")
    assert not marker.exists()


@pytest.mark.parametrize(("name", "expressive"), [("<Pi0>", True), ("<|Pi0|>", True), ("Pi0", False)])
def test_pitch_units_in_all_brackets(tmp_path: Path, name: str, expressive: bool) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "tokenizer.json").write_text(json.dumps({"added_tokens": [{"content": name}]}))
    assert find_checkpoint(str(tmp_path)).is_expressive == expressive
