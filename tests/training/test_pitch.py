import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from training_fixtures import assert_same_weights, in_two_processes, interrupted, pitch_options

from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.errors import CheckpointError, SpiritLMError
from spiritlm_cli.speech.pitch import CodebookConfig, ConvConfig, PitchConfig, PitchVqVae
from spiritlm_cli.training import pitch
from spiritlm_cli.training.data import Recording, load_recordings
from spiritlm_cli.training.pitch import MovingCodebook, reconstruction_quality, track_all


def test_train_resume_is_bit_identical(corpus: Path, tmp_path: Path) -> None:
    """The moving averages of the codes are part of the saved state."""
    pitch.train(pitch_options(corpus, tmp_path / "whole", steps=4))
    (tmp_path / "parts" / "training").mkdir(parents=True)
    shutil.copy(tmp_path / "whole/training/f0.npz", tmp_path / "parts/training")
    with interrupted(3):
        pitch.train(pitch_options(corpus, tmp_path / "parts", steps=4, save_every=2))
    pitch.train(pitch_options(corpus, tmp_path / "parts", steps=4, resume=True))
    assert_same_weights(*(Checkpoint(tmp_path / name, "").pitch for name in ("whole", "parts")))


def test_train_in_two_processes_is_resumed_by_two(corpus: Path, tmp_path: Path) -> None:
    options = pitch_options(corpus, tmp_path / "new")
    in_two_processes(lambda: pitch.train(options), tmp_path)
    in_two_processes(lambda: pitch.train(replace(options, steps=3, resume=True)), tmp_path)
    with pytest.raises(CheckpointError, match=r"pitch\.pt: of a training by 2 processes, not 1"):
        pitch.train(replace(options, resume=True))


def test_train_needs_clips_as_long_as_a_crop(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(SpiritLMError, match=r"clips\.jsonl: no clip of 60\.0 s"):
        pitch.train(pitch_options(corpus, tmp_path, seconds=60.0))


def test_train_takes_crops_without_voiced_frames(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last frame alone of each clip is voiced, except in one, which is left out."""
    (tmp_path / "training").mkdir()
    f0 = {f"{i}/f0": np.full(401, 123.0, np.float32) for i in range(4)}
    voiced = {f"{i}/v": np.arange(401) == (400 if i else 401) for i in range(4)}
    np.savez(tmp_path / "training" / "f0.npz", **f0, **voiced)
    pitch.train(pitch_options(corpus, tmp_path, batch=1, seconds=0.08))
    lines = (tmp_path / "training" / "pitch.metrics.jsonl").read_text().splitlines()
    assert ["f0_error_hz" in line for line in lines] == [False, False]
    assert "1 of 4 clips are shorter than 0.08 s or have no voiced frames" in capsys.readouterr().err


def test_track_all_tracks_only_clips_that_the_cache_lacks(corpus: Path, tmp_path: Path) -> None:
    recordings = load_recordings(corpus / "clips.jsonl", tmp_path)[:2]
    cache = tmp_path / "training" / "f0.npz"
    tracked = track_all(recordings, cache.parent, "cpu")
    # the cached track of clip 1 has the length of another audio file
    stored = {"0/f0": np.full(401, 123.0, np.float32), "0/v": np.ones(401, bool)}
    stored |= {"1/f0": np.full(400, 123.0, np.float32), "1/v": np.ones(400, bool)}
    np.savez(cache, **stored)
    again = track_all(recordings, cache.parent, "cpu")
    assert (again["0"].f0 == 123).all()
    assert np.array_equal(again["1"].f0, tracked["1"].f0)
    with np.load(cache) as updated:
        assert np.array_equal(updated["1/f0"], tracked["1"].f0)


def test_track_all_keeps_the_tracks_of_pyaapt_apart(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = load_recordings(corpus / "clips.jsonl", tmp_path)[0]
    recordings = [Recording(recording.clip, recording.samples[:8000])]
    first, second = (track_all(recordings, tmp_path, "cpu", "pyaapt")["0"] for _ in range(2))
    assert len(first.f0) == 100
    assert np.array_equal(first.f0, second.f0)
    assert capsys.readouterr().err.count("f0_pyaapt.npz: computing the F0 of 1 clip") == 1


@pytest.fixture
def codebook() -> MovingCodebook:
    """Three codes of two dimensions, with a decay of 0.9."""
    conv = ConvConfig(2, 2, 1, [1], [2], width=2, depth=1)
    model = PitchVqVae(PitchConfig("f0_interp,vuv", conv, conv, CodebookConfig(3, 2, mu=0.9)))
    codebook = MovingCodebook(model)
    codebook.codes.copy_(torch.tensor([[0.0, 0.0], [1.0, 1.0], [5.0, 5.0]]))
    codebook.total.copy_(codebook.codes)
    return codebook


def test_moving_codebook_follows_the_mean_of_its_latents(codebook: MovingCodebook) -> None:
    latents = torch.tensor([[1.0, 0.0], [3.0, 0.0]])
    codebook.follow(latents, torch.tensor([0, 0]), np.random.default_rng(0))
    # (0.9 · (0, 0) + 0.1 · (4, 0)) / (0.9 · 1 + 0.1 · 2)
    assert codebook.codes[0].tolist() == pytest.approx([0.4 / 1.1, 0.0])
    assert codebook.codes[1].tolist() == pytest.approx([1.0, 1.0])


def test_moving_codebook_replaces_unused_codes_by_latents(codebook: MovingCodebook) -> None:
    codebook.count[2] = 0.01
    latents = torch.tensor([[1.0, 0.0], [3.0, 0.0]])
    codebook.follow(latents, torch.tensor([0, 1]), np.random.default_rng(0))
    assert codebook.codes[2].tolist() in latents.tolist()
    assert codebook.count[2] == 1


def test_reconstruction_quality_of_a_vq_vae(trained: Path) -> None:
    checkpoint = Checkpoint(trained, "")
    model = PitchVqVae.load(checkpoint.pitch, checkpoint.pitch_config)
    clip = torch.stack([50 * torch.sin(torch.arange(330) / 20), (torch.arange(330) < 200).float()])
    decoded = model.decode(model(clip[None, :, :320]))[0]
    hz = (decoded - clip[:, :320])[0, :200].square().mean().sqrt()
    wrong = 100 * ((decoded[1] > 0.5) != (clip[1, :320] > 0.5)).float().mean()
    quality = reconstruction_quality(model, [clip])
    assert quality.startswith(
        f"F0 error {hz:.1f} Hz (RMS, voiced frames), voicing wrong in {wrong:.1f} % of frames, "
    )
    used = len(model(clip[None, :, :320]).unique())
    assert f"{used} of 64 codes used" in quality
