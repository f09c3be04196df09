from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from judge_fixtures import write_ctc_recognizer, write_text_lm

from spiritlm_cli.errors import AudioError, ManifestError, OptionError
from spiritlm_cli.evaluation.continuation import ContinuationItem
from spiritlm_cli.jobs.evaluate import run
from spiritlm_cli.jobs.evaluations.continuation import ContinuationEvaluation
from spiritlm_cli.jobs.options import ContinuationOptions


@pytest.fixture(scope="module")
def options(small_release: Path, tmp_path_factory: pytest.TempPathFactory) -> ContinuationOptions:
    folder = tmp_path_factory.mktemp("continuation")
    return ContinuationOptions(
        path=folder / "clips",
        asr=str(write_ctc_recognizer(folder / "ctc")),
        text_lm=write_text_lm(folder / "lm", max_position_embeddings=1024),
        model=str(small_release),
        device="cpu",
    )


def write_clips(folder: Path, seconds: dict[str, float]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).normal(0, 0.1, 16000 * 8)
    for name, length in seconds.items():
        soundfile.write(folder / f"{name}.wav", noise[: round(length * 16000)], 16000)
    return folder


def names(options: ContinuationOptions) -> list[str]:
    return [item.id for item in ContinuationEvaluation(options).items()]


def test_items_of_gslm(options: ContinuationOptions, tmp_path: Path) -> None:
    """The shortest clips of at least 6 s."""
    folder = write_clips(tmp_path, {"a": 7, "b": 6, "c": 5.9, "d": 6.5})
    found = replace(options, path=folder, clips=2, temperatures=(0.3, 1.0))
    assert names(found) == [f"{clip}@{name}" for clip in ("b", "d") for name in ("original", "0.3", "1")]
    assert names(replace(found, original=False, temperatures=(0.8,))) == ["b@0.8", "d@0.8"]
    with pytest.raises(ManifestError, match="no clip has 6 s, as --form gslm needs"):
        names(replace(options, path=write_clips(tmp_path / "short", {"a": 5.9})))


def test_items_of_slamkit(options: ContinuationOptions, tmp_path: Path) -> None:
    """The first right endings, by number."""
    seconds = dict.fromkeys(("10_x_correct", "11_x_incorrect", "2_y_correct", "3_y_incorrect"), 1.0)
    found = replace(options, path=write_clips(tmp_path, seconds), form="slamkit", original=False)
    assert names(found) == ["2_y_correct@0.8", "10_x_correct@0.8"]
    assert names(replace(found, clips=1)) == ["2_y_correct@0.8"]


def test_facts_count_the_clips_that_are_left_out(options: ContinuationOptions, tmp_path: Path) -> None:
    folder = write_clips(tmp_path, {"a": 7, "b": 6, "c": 5.9, "d": 1})
    found = ContinuationEvaluation(replace(options, path=folder, clips=1))
    found.items()
    assert found.facts()["clips"] == "1 of 4, 2 left out (shorter than 6 s), 1 left out (beyond --clips)"


def test_items_that_cannot_be_read(options: ContinuationOptions, tmp_path: Path) -> None:
    folder = write_clips(tmp_path, {"a": 6})
    (folder / "b.wav").write_bytes(b"no sound")
    first, *_, last = ContinuationEvaluation(replace(options, path=folder)).items()
    assert isinstance(first, ContinuationItem)
    assert (last.id, type(last.error)) == ("b", AudioError)  # type: ignore[union-attr]


def test_saved_speech_replaces_no_recording(options: ContinuationOptions, tmp_path: Path) -> None:
    folder = write_clips(tmp_path, {"a": 6})
    with pytest.raises(OptionError, match="has the recording"):
        names(replace(options, path=folder, save_audio=folder))


@pytest.fixture
def manifest(tmp_path: Path, recording_file: Path) -> Path:
    """A manifest of two stretches of the recording, of 0.8 s each."""
    path = tmp_path / "clips.tsv"
    path.write_text(f"id\taudio\tstart\tend\na\t{recording_file}\t1\t1.8\nb\t{recording_file}\t3\t3.8\n")
    return path


def test_run(options: ContinuationOptions, tmp_path: Path, manifest: Path) -> None:
    found = replace(
        options,
        path=manifest,
        form="slamkit",
        prompt_seconds=0.5,
        max_new_tokens=5,
        save_audio=tmp_path / "wav",
    )
    result = run(found).result
    assert result
    assert [row.items for row in result.rows] == [2, 2, 2, 2]
    assert result.counts == {"clips": 2}
    assert {"ppl_gslm", "ppl_slamkit", "vert"} <= set(result.rows[0].values)
    facts = result.description.facts
    assert (facts["form"], facts["max new tokens"]) == ("slamkit", 5)
    assert facts["sampling"] == "top-p 1, top-k 25, seed 0"
    assert facts["text language model"].startswith("lm (sha256 ")
    assert {path.name for path in (tmp_path / "wav").iterdir()} == {"a@0.8.wav", "b@0.8.wav"}


@pytest.mark.parametrize("part", [{"limit": 1}, {"shard": (1, 2)}])
def test_limit_and_shard_take_whole_clips(
    options: ContinuationOptions, tmp_path: Path, manifest: Path, part: dict[str, Any]
) -> None:
    found = replace(
        options,
        path=manifest,
        form="slamkit",
        prompt_seconds=0.5,
        max_new_tokens=2,
        temperatures=(0.3, 0.8),
    )
    result = run(replace(found, **part)).result
    assert result
    assert result.counted == "3 items, 1 clips"
    assert [row.items for row in result.rows] == [1] * 6
