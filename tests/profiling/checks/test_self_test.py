import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spiritlm_cli.checkpoints.checkpoint import NANO
from spiritlm_cli.profiling.checks import self_test
from spiritlm_cli.profiling.checks.self_test import (
    count_differences,
    recorded_units,
    try_language_model,
    try_tokenizer,
    try_vocoder,
)
from spiritlm_cli.tokens.units import Units


def test_try_tokenizer_of_nano_finds_the_recorded_units() -> None:
    """If nano's weights have changed: record the units in `assets/self_test.json` again."""
    (finding,) = try_tokenizer("nano", "cpu")
    assert (finding.status, finding.name) == ("ok", "tokenize on cpu")
    assert (finding.values["units"], finding.values["differing"]) == (76, 0)
    assert "none of 76 units differ" in finding.text


@pytest.mark.parametrize(("changed", "status"), [(1, "warning"), (20, "broken")])
def test_try_tokenizer_counts_other_units(changed: int, status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    units = recorded_units()
    hubert = units.hubert.copy()
    hubert[:changed] += 1
    monkeypatch.setattr(self_test, "recorded_units", lambda: replace(units, hubert=hubert))
    (finding,) = try_tokenizer("nano", "cpu")
    assert (finding.status, finding.values["differing"]) == (status, changed)


def test_try_language_model_of_nano() -> None:
    (finding,) = try_language_model("nano", "cpu")
    assert (finding.status, finding.values["tokens"]) == ("ok", 8)


def test_try_vocoder_of_nano() -> None:
    (finding,) = try_vocoder("nano", "cpu")
    assert finding.status == "ok"
    assert isinstance(finding.values["peak"], float)
    assert finding.values["peak"] > 0.1


def test_tries_of_another_checkpoint(release_tree: Path) -> None:
    for attempt in (try_tokenizer, try_language_model, try_vocoder):
        (finding,) = attempt(str(release_tree), "cpu")
        assert finding.status == "ok"
        assert "differing" not in finding.values


def test_tries_of_a_checkpoint_without_parts(tmp_path: Path) -> None:
    (tmp_path / "speech_tokenizer").mkdir()
    for attempt, part in (
        (try_tokenizer, "tokenizer"),
        (try_language_model, "language model"),
        (try_vocoder, "vocoder"),
    ):
        (finding,) = attempt(str(tmp_path), "cpu")
        assert (finding.status, finding.text) == ("note", f"not run: {tmp_path.name} has no {part}")


def test_tries_of_a_checkpoint_with_files_cut_off(tmp_path: Path) -> None:
    shutil.copytree(NANO, tmp_path / "nano", symlinks=True)
    for path in (tmp_path / "nano").rglob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:5000])
    for attempt, name in (
        (try_tokenizer, "mhubert_base_25hz.safetensors"),
        (try_language_model, "model.safetensors"),
        (try_vocoder, "generator.safetensors"),
    ):
        (finding,) = attempt(str(tmp_path / "nano"), "cpu")
        assert finding.status == "broken"
        assert name in finding.text
        assert "again" in finding.remedy


def test_tries_of_a_checkpoint_that_is_not_there(tmp_path: Path) -> None:
    (finding,) = try_tokenizer(str(tmp_path / "none"), "cpu")
    assert finding.status == "broken"
    assert "no such folder" in finding.text


def test_count_differences() -> None:
    def units(*streams: list[int] | None) -> Units:
        return Units(*(None if one is None else np.array(one) for one in streams))  # type: ignore[arg-type]

    assert count_differences(units([1, 2, 3], [4], [5]), units([1, 2, 3], [4], [5])) == (0, 5)
    assert count_differences(units([1, 9], [4], None), units([1, 2, 3], [4], [5])) == (3, 5)
