"""The whole recipe, every command of it, on four clips."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.config import read_yaml
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.vocoder.vocoder import Vocoder


def test_recipe_makes_a_checkpoint_once(
    script: Callable[[str], ModuleType], speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = script("nano/recipe.py")
    text, output = tmp_path / "stories.txt", tmp_path / "new"
    text.write_text("The fox hid a flat stone.\nSam had a bright gate and a little fox.\n" * 30)
    command = ["recipe.py", "--speech", str(speech), "--text", str(text), "--output", str(output), "--small"]
    monkeypatch.setattr(sys, "argv", command)
    recipe.main()
    voices = script("nano/clip_sets.py").MAIN_VOICES
    assert read_yaml(recipe.RECIPE / "vocoder.yaml")["speakers"].split(",") == list(voices)
    # the first of the two speakers by number is held out
    assert len((output / "work" / "clips.jsonl").read_text().splitlines()) == 3
    assert len((output / "work" / "real.jsonl").read_text().splitlines()) == 1
    SpeechTokenizer.load(str(output))
    Vocoder.load(str(output))
    LanguageModel.load(str(output))
    # nothing is left to do
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*.safetensors")}
    recipe.main()
    assert before == {path: path.stat().st_mtime_ns for path in output.rglob("*.safetensors")}
    assert Checkpoint(output, "").hubert in before
