import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from training_fixtures import assert_same_weights, hubert_options, interrupted

from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.errors import CheckpointError, SpiritLMError
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.speech.hubert import Hubert
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.training import hubert, units
from spiritlm_cli.training.hubert import _loss
from spiritlm_cli.training.hubert_model import Pretraining
from spiritlm_cli.training.units_options import UnitsOptions


def test_train_resume_is_bit_identical(corpus: Path, tmp_path: Path) -> None:
    hubert.train(hubert_options(corpus, tmp_path / "whole", steps=4))
    with interrupted(3):
        hubert.train(hubert_options(corpus, tmp_path / "parts", steps=4, save_every=2))
    hubert.train(hubert_options(corpus, tmp_path / "parts", steps=4, resume=True))
    assert_same_weights(*(Checkpoint(tmp_path / name, "").hubert for name in ("whole", "parts")))


def test_train_refuses_to_resume_another_run(corpus: Path, tmp_path: Path) -> None:
    hubert.train(hubert_options(corpus, tmp_path, steps=1))
    with pytest.raises(CheckpointError, match=r"hubert\.json: started with --dim 32, not 64; give the same"):
        hubert.train(hubert_options(corpus, tmp_path, steps=2, dim=64, resume=True))
    fewer = tmp_path / "fewer.txt"
    fewer.write_text("0\t[SPEECH]" + "[Hu1][Hu2]" * 25 + "\n")
    with pytest.raises(CheckpointError, match=r"hubert\.json: started with another --labels; give the same"):
        hubert.train(hubert_options(corpus, tmp_path, steps=2, labels=fewer, resume=True))
    (tmp_path / "training" / "hubert.json").unlink()
    with pytest.raises(CheckpointError, match=r"hubert\.pt: doesn't fit the model that these data"):
        hubert.train(hubert_options(corpus, tmp_path, steps=2, labels=fewer, resume=True))
    state = tmp_path / "training" / "hubert.pt"
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"hubert\.pt: cut off"):
        hubert.train(hubert_options(corpus, tmp_path, steps=2, resume=True))


def test_train_replaces_another_run_only_with_overwrite(corpus: Path, tmp_path: Path) -> None:
    hubert.train(hubert_options(corpus, tmp_path, steps=1))
    weights = Checkpoint(tmp_path, "").hubert
    before = weights.read_bytes()
    with pytest.raises(
        CheckpointError, match=r"hubert\.pt: there is already a hubert .* --resume .* --overwrite"
    ):
        hubert.train(hubert_options(corpus, tmp_path, steps=1, seed=1))
    (tmp_path / "training" / "hubert.pt").unlink()
    with pytest.raises(CheckpointError, match=r"mhubert_base_25hz\.safetensors: there is already a hubert"):
        hubert.train(hubert_options(corpus, tmp_path, steps=1, seed=1))
    assert weights.read_bytes() == before
    hubert.train(hubert_options(corpus, tmp_path, steps=1, seed=1, overwrite=True))
    assert weights.read_bytes() != before


def test_train_continues_from_start_weights(corpus: Path, tmp_path: Path) -> None:
    hubert.train(hubert_options(corpus, tmp_path / "first", steps=1))
    start = Checkpoint(tmp_path / "first", "").hubert
    # the sizes of the weights override --dim, and a learning rate of 0 changes nothing
    hubert.train(hubert_options(corpus, tmp_path / "more", steps=1, start=start, dim=64, learning_rate=0.0))
    assert_same_weights(start, Checkpoint(tmp_path / "more", "").hubert, tolerance=1e-3)


def test_train_keeps_the_frames_of_a_hugging_face_folder(
    corpus: Path, twist_folder: Path, tmp_path: Path
) -> None:
    """The padding at both ends of a clip, in the features of training and of the weights that are written."""
    start = twist_folder / "mhubert-base-25hz"
    first = Hubert.load(start)
    clip = torch.randn(25 * 640)
    expected = first([clip])[0]
    assert len(expected) == 25
    untrained = Pretraining.load(start, 5)
    masked = torch.zeros(1, 25, dtype=torch.bool)
    torch.testing.assert_close(untrained(clip[None], masked, 0.0)[0], untrained.classifier(expected))
    hubert.train(hubert_options(corpus, tmp_path, steps=1, start=start, learning_rate=0.0))
    trained = Hubert.load(Checkpoint(tmp_path, "").hubert)
    # the file has half precision
    torch.testing.assert_close(trained([clip])[0], expected, atol=0.02, rtol=0)


def test_train_needs_labels_or_a_teacher(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(SpiritLMError, match="--labels, or --teacher"):
        hubert.train(hubert_options(corpus, tmp_path, labels=None))


def test_train_raises_for_a_loss_that_is_not_finite(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(SpiritLMError, match="lower --learning-rate"):
        hubert.train(hubert_options(corpus, tmp_path, steps=9, learning_rate=float("inf")))


def test_train_at_50_hz_then_halves_the_rate(corpus: Path, tmp_path: Path) -> None:
    """The last iteration: one more convolution on a model of 50 Hz, which `tokenize` then loads."""
    units.train(UnitsOptions(manifest=corpus / "clips.jsonl", clusters=5, rate=50, output=tmp_path / "first"))
    first = tmp_path / "first"
    labels = first / "training" / "labels.txt"
    hubert.train(hubert_options(corpus, first, labels=labels, rate=50, steps=1))
    start = first / "speech_tokenizer" / "hubert_50hz" / "mhubert_base_50hz.safetensors"
    assert len(Hubert.load(start)([torch.randn(16000)])[0]) == 49
    hubert.train(hubert_options(corpus, tmp_path, start=start, steps=1))
    units.train(
        UnitsOptions(manifest=corpus / "clips.jsonl", features="hubert", layer=2, clusters=5, output=tmp_path)
    )
    tokenizer = SpeechTokenizer.load(str(tmp_path), expressive=False, device="cpu")
    assert len(tokenizer.encode(Waveform(torch.randn(16000).numpy() / 10, 16000)).hubert) == 24


def test_train_refuses_labels_of_another_rate(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(SpiritLMError, match=r"the clip 0 has 50 labels, and 100 frames at 50 Hz"):
        hubert.train(hubert_options(corpus, tmp_path, rate=50))


def test_train_by_masked_prediction_alone(corpus: Path, tmp_path: Path) -> None:
    hubert.train(
        hubert_options(corpus, tmp_path, steps=1, unmasked=0.0, mask=0.4, augment=False, position_kernel=8)
    )
    assert Hubert.load(Checkpoint(tmp_path, "").hubert).config.conv_pos == 8


def test_loss_weights_frames_that_are_not_masked() -> None:
    logits = torch.randn(1, 4, 3)
    targets, masked = torch.tensor([[0, 1, -100, 2]]), torch.tensor([[True, False, True, False]])
    each = torch.nn.functional.cross_entropy(logits[0], targets[0], label_smoothing=0.05, reduction="none")
    torch.testing.assert_close(_loss(logits, targets, masked, 0.0), each[0])
    torch.testing.assert_close(_loss(logits, targets, masked, 0.5), (each[0] + (each[1] + each[3]) / 2) / 2)
    torch.testing.assert_close(_loss(logits, targets, masked, 1.0), each[[0, 1, 3]].mean())


def test_train_halves_the_rate_of_a_hugging_face_folder(
    corpus: Path, twist_folder: Path, tmp_path: Path
) -> None:
    """A folder of 50 Hz, such as HuBERT base: TWIST's without its last convolution."""
    source, folder = twist_folder / "mhubert-base-25hz", tmp_path / "hubert-base"
    folder.mkdir()
    config = json.loads((source / "config.json").read_text())
    config |= {name: config[name][:-1] for name in ("conv_dim", "conv_kernel", "conv_stride")}
    (folder / "config.json").write_text(json.dumps(config))
    tensors = {k: v for k, v in load_file(source / "model.safetensors").items() if ".conv_layers.7." not in k}
    save_file(tensors, folder / "model.safetensors")
    start = folder / "model.safetensors"
    hubert.train(hubert_options(corpus, tmp_path, start=start, steps=1))
    trained = Hubert.load(Checkpoint(tmp_path, "").hubert)
    assert (trained.task.padding, trained.config.encoder.hop) == (40, 640)
    assert len(trained([torch.randn(16000)])[0]) == 25
