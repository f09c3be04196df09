import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from training_fixtures import assert_same_weights, interrupted, quantizer_options

from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.errors import CheckpointError, OptionError, SpiritLMError
from spiritlm_cli.speech.hubert import Hubert
from spiritlm_cli.speech.quantizer import (
    LinearQuantizer,
    QuantizerConfig,
    load_quantizer,
)
from spiritlm_cli.training import quantizer, units
from spiritlm_cli.training.data import load_recordings
from spiritlm_cli.training.invariance import clip_units
from spiritlm_cli.training.quantizer import Teacher
from spiritlm_cli.training.units_options import UnitsOptions


@pytest.fixture
def output(trained: Path, tmp_path: Path) -> Path:
    """A folder that has a HuBERT but no quantizer."""
    weights = Checkpoint(trained, "").hubert
    (tmp_path / weights.relative_to(trained)).parent.mkdir(parents=True)
    shutil.copy(weights, tmp_path / weights.relative_to(trained))
    return tmp_path


def test_train_writes_a_linear_quantizer(trained: Path) -> None:
    assert isinstance(load_quantizer(Checkpoint(trained, "").quantizer), LinearQuantizer)


def test_train_continues_from_start_weights(corpus: Path, trained: Path, output: Path) -> None:
    start = Checkpoint(trained, "").quantizer
    quantizer.train(quantizer_options(corpus, output, steps=1, start=start, learning_rate=0.0))
    assert_same_weights(start, Checkpoint(output, "").quantizer, tolerance=1e-3)


def test_train_refuses_labels_and_augmentations_that_do_not_fit(corpus: Path, output: Path) -> None:
    with pytest.raises(OptionError, match="needs either --labels or --teacher"):
        quantizer.train(quantizer_options(corpus, output, labels=None))
    with pytest.raises(OptionError, match="has echo; known are stretch, pitch, reverb, noise"):
        quantizer.train(quantizer_options(corpus, output, augmentations="noise,echo"))
    labels = output / "labels.txt"
    labels.write_text("0\t[SPEECH][Hu7]\n")
    with pytest.raises(SpiritLMError, match=r"labels\.txt: has \[Hu7\]; --units is 7"):
        quantizer.train(quantizer_options(corpus, output, labels=labels, units=7))
    labels.write_text("other\t[SPEECH][Hu7]\n")
    with pytest.raises(SpiritLMError, match=r"labels\.txt: no clip of .*clips\.jsonl has labels"):
        quantizer.train(quantizer_options(corpus, output, labels=labels))


def test_train_refuses_labels_of_merged_runs(corpus: Path, output: Path, tmp_path: Path) -> None:
    labels = tmp_path / "merged.txt"
    labels.write_text("".join(f"{i}\t[SPEECH][Hu{i}]\n" for i in range(4)))
    with pytest.raises(SpiritLMError, match=r"merged\.txt: the clip 0 has 1 labels, and 50 frames at 25 Hz"):
        quantizer.train(quantizer_options(corpus, output, labels=labels))


@pytest.fixture
def teacher(corpus: Path, output: Path, tmp_path: Path) -> Path:
    """k-means of 5 clusters of the HuBERT in `output`."""
    units.train(
        UnitsOptions(
            manifest=corpus / "clips.jsonl", features="hubert", hubert=Checkpoint(output, "").hubert, layer=2,
            clusters=5, output=tmp_path, device="cpu",
        )
    )  # fmt: skip
    return tmp_path / "training" / "hubert_L2_km5.safetensors"


def test_train_iterations_resume_is_bit_identical(corpus: Path, output: Path, teacher: Path) -> None:
    """Two iterations, interrupted in the second: its labels are those of the student after the first."""
    options = quantizer_options(
        corpus, output, labels=None, teacher=teacher, units=5, steps=3, iterations=2, save_every=5,
        augmentations="stretch,pitch,reverb,noise",
    )  # fmt: skip
    report = quantizer.train(options)
    path = Checkpoint(output, "").quantizer
    whole = path.read_bytes()
    with interrupted(5):
        quantizer.train(replace(options, overwrite=True))
    assert path.read_bytes() != whole
    assert quantizer.train(replace(options, resume=True)) == report
    assert path.read_bytes() == whole


def test_train_reports_unit_error_rates_of_teacher_and_student(
    corpus: Path, output: Path, teacher: Path
) -> None:
    options = quantizer_options(corpus, output, labels=None, teacher=teacher, units=5, steps=1)
    report = quantizer.train(options)
    assert report is not None
    assert list(report.rates) == ["teacher", "trained"]
    with pytest.raises(CheckpointError, match="is the teacher, and would be replaced"):
        quantizer.train(replace(options, teacher=Checkpoint(output, "").quantizer, overwrite=True))


def test_teacher_is_the_student_after_each_iteration(corpus: Path, output: Path, tmp_path: Path) -> None:
    recordings = load_recordings(corpus / "clips.jsonl", tmp_path)[:1]
    hubert = Hubert.load(Checkpoint(output, "").hubert, 2)
    torch.manual_seed(0)
    student = LinearQuantizer(QuantizerConfig(5, 32, 22))
    given = {"0": np.zeros(49, dtype=np.int64)}
    teacher = Teacher(hubert, recordings, given, student)
    assert teacher.labels(0) is given
    expected = clip_units(hubert, student, recordings[0].waveform.samples)
    assert teacher.labels(1)["0"].tolist() == expected.tolist()
    with torch.no_grad():
        student.layers[-1].bias += torch.tensor([0, 0, 0, 99.0, 0, 0])
    assert teacher.labels(1)["0"].tolist() == expected.tolist()
    resumed = Teacher(hubert, recordings, given, student)
    resumed.load_state_dict(teacher.state_dict())
    assert resumed.labels(1)["0"].tolist() == expected.tolist()
    assert teacher.labels(2)["0"].tolist() != expected.tolist()


def test_resume_refuses_iterations_of_another_length(corpus: Path, output: Path, teacher: Path) -> None:
    options = quantizer_options(corpus, output, labels=None, teacher=teacher, units=5, steps=1, iterations=2)
    quantizer.train(options)
    with pytest.raises(CheckpointError, match="the iterations have 1 steps; resume with the same --steps"):
        quantizer.train(replace(options, steps=2, resume=True))


def test_ctc_loss_leaves_out_rows_without_labels() -> None:
    logits = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([[1, 1, 2, 2, -100, -100], [-100] * 6])
    assert quantizer._ctc_loss(logits, targets, 3) == quantizer._ctc_loss(logits[:1], targets[:1], 3)
    assert quantizer._ctc_loss(logits[1:], targets[1:], 3) == 0


def test_train_needs_a_hubert(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(
        CheckpointError, match="first train it, by `spiritlm train hubert` with the same --output"
    ):
        quantizer.train(quantizer_options(corpus, tmp_path))
