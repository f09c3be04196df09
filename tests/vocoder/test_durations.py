"""Durations: the predictor that is read alone, and the duration of speech that is generated unit by unit."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.checkpoints.tensors import read_tensors, write_tensors
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.vocoder.durations import DurationPredictor, DurationTracker, whole_frames
from spiritlm_cli.vocoder.vocoder import Vocoder


@pytest.fixture(scope="module")
def predictor(release_tree: Path) -> DurationPredictor:
    return DurationPredictor.load(find_checkpoint(str(release_tree)), expressive=True)


def test_whole_frames_are_at_least_one() -> None:
    frames = whole_frames(torch.tensor([[-9.0, 0.0, 1.0, 2.0]]))
    assert (frames.tolist(), frames.dtype) == ([[1, 1, 2, 6]], torch.int64)


@pytest.mark.parametrize(("model", "expressive"), [("nano", True), ("release", True), ("release", False)])
def test_duration_predictor_load_equals_the_vocoder_s(
    release_tree: Path, model: str, expressive: bool
) -> None:
    model = model if model == "nano" else str(release_tree)
    loaded = DurationPredictor.load(find_checkpoint(model), expressive)
    predictor = Vocoder.load(model, expressive, "cpu").duration_predictor
    hubert = torch.randint(500, (60,), generator=torch.Generator().manual_seed(0))
    assert torch.equal(loaded.frames(hubert), predictor.frames(hubert))
    assert (loaded.reach, loaded.frame_seconds) == (predictor.reach, predictor.frame_seconds)
    assert loaded.frame_seconds == 0.04


def test_duration_predictor_load_reads_no_other_tensors(tree: Path) -> None:
    checkpoint = find_checkpoint(str(tree))
    path = checkpoint.generator(True)
    tensors = {name: t for name, t in read_tensors(path).tensors.items() if name.startswith("d")}
    write_tensors(path.with_suffix(".safetensors"), tensors)
    DurationPredictor.load(checkpoint, True)
    del tensors["dict.weight"]
    write_tensors(path.with_suffix(".safetensors"), tensors)
    with pytest.raises(CheckpointError, match=r"generator\.safetensors: missing tensor embedding\.weight"):
        DurationPredictor.load(checkpoint, True)


@given(
    prefix=st.lists(st.integers(0, 499), max_size=8),
    units=st.lists(st.integers(0, 499), min_size=1, max_size=20),
)
@settings(deadline=None, max_examples=25)
def test_duration_tracker_is_the_prediction_for_all_units(
    predictor: DurationPredictor, prefix: list[int], units: list[int]
) -> None:
    tracker = DurationTracker(predictor, prefix)
    for count in range(1, len(units) + 1):
        assert tracker.add(units[count - 1])
        frames = predictor.frames(torch.tensor([*prefix, *units[:count]]))
        assert tracker.seconds == pytest.approx(int(frames[len(prefix) :].sum()) * predictor.frame_seconds)


def test_duration_tracker_refuses_units_over_the_limit(predictor: DurationPredictor) -> None:
    tracker = DurationTracker(predictor)
    refused = 0
    for unit in range(60):
        seconds = tracker.seconds
        if not tracker.add(unit, max_seconds=0.5):
            refused += 1
            assert tracker.seconds == seconds
        assert tracker.seconds <= 0.5
    assert tracker.seconds > 0
    assert refused > 0


@pytest.mark.parametrize("value", [100.0, 5.6, float("inf"), float("nan")])
def test_whole_frames_refuses_what_is_no_duration(value: float) -> None:
    """A damaged predictor would make a line of any length take all memory."""
    assert whole_frames(torch.tensor([5.5])).tolist() == [244]
    with pytest.raises(CheckpointError, match=r"gives one unit .* frames, over 250.*--durations keep"):
        whole_frames(torch.tensor([1.0, value]))
