import shutil
from pathlib import Path

import pytest
from training_fixtures import assert_same_weights, quantizer_options

from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.errors import CheckpointError, SpiritLMError
from spiritlm_cli.speech.hubert import Hubert
from spiritlm_cli.speech.quantizer import KMeansQuantizer, LinearQuantizer, load_quantizer
from spiritlm_cli.training import quantizer
from spiritlm_cli.training.data import load_recordings


@pytest.fixture
def output(trained: Path, tmp_path: Path) -> Path:
    """A folder that has a HuBERT but no quantizer."""
    weights = Checkpoint(trained, "").hubert
    (tmp_path / weights.relative_to(trained)).parent.mkdir(parents=True)
    shutil.copy(weights, tmp_path / weights.relative_to(trained))
    return tmp_path


def test_train_kmeans_writes_a_quantizer(corpus: Path, trained: Path, tmp_path: Path) -> None:
    features = Hubert.load(Checkpoint(trained, "").hubert, 1)
    options = quantizer_options(corpus, tmp_path, kind="kmeans", layer=1, units=5)
    path = tmp_path / "kmeans.safetensors"
    quantizer.train_kmeans(options, features, load_recordings(options.manifest), path)
    loaded = load_quantizer(path)
    assert isinstance(loaded, KMeansQuantizer)
    assert loaded.centers.shape == (5, 32)
    # the nearest center to a center is itself
    assert loaded(loaded.centers).tolist() == list(range(5))


def test_train_linear_writes_a_quantizer(trained: Path) -> None:
    assert isinstance(load_quantizer(Checkpoint(trained, "").quantizer), LinearQuantizer)


def test_train_linear_continues_from_start_weights(corpus: Path, trained: Path, output: Path) -> None:
    start = Checkpoint(trained, "").quantizer
    quantizer.train(quantizer_options(corpus, output, steps=1, start=start, learning_rate=0.0))
    assert_same_weights(start, Checkpoint(output, "").quantizer, tolerance=1e-3)


def test_train_refuses_labels_and_kinds_that_do_not_fit(corpus: Path, output: Path) -> None:
    with pytest.raises(SpiritLMError, match="--kind is linear or kmeans, not forest"):
        quantizer.train(quantizer_options(corpus, output, kind="forest"))
    with pytest.raises(SpiritLMError, match="needs --labels"):
        quantizer.train(quantizer_options(corpus, output, labels=None))
    labels = output / "labels.txt"
    labels.write_text("0\t[SPEECH][Hu7]\n")
    with pytest.raises(SpiritLMError, match=r"labels\.txt: has \[Hu7\]; --units is 7"):
        quantizer.train(quantizer_options(corpus, output, labels=labels, units=7))
    labels.write_text("other\t[SPEECH][Hu7]\n")
    with pytest.raises(SpiritLMError, match=r"labels\.txt: no clip of .*clips\.jsonl has labels"):
        quantizer.train(quantizer_options(corpus, output, labels=labels))


def test_train_needs_a_hubert(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        quantizer.train(quantizer_options(corpus, tmp_path))
