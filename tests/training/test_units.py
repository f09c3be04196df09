from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from training_fixtures import hubert_options

from spiritlm_cli.alignment.pocketsphinx import Phone
from spiritlm_cli.audio.reading import read_audio
from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.errors import CheckpointError, OptionError, SpiritLMError
from spiritlm_cli.speech.quantizer import KMeansQuantizer, load_quantizer
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.training import hubert, units
from spiritlm_cli.training.data import read_labels
from spiritlm_cli.training.phones import write_phones
from spiritlm_cli.training.units import FrameSample
from spiritlm_cli.training.units_options import UnitsOptions


def units_options(corpus: Path, output: Path, **changes: Any) -> UnitsOptions:
    options: dict[str, Any] = dict(manifest=corpus / "clips.jsonl", clusters=5, output=output, device="cpu")
    return UnitsOptions(**(options | changes))


@pytest.fixture
def output(trained: Path, tmp_path: Path) -> Path:
    """A folder that has a HuBERT but no quantizer."""
    weights = Checkpoint(trained, "").hubert
    target = tmp_path / weights.relative_to(trained)
    target.parent.mkdir(parents=True)
    target.write_bytes(weights.read_bytes())
    return tmp_path


def test_train_clusters_mfccs_for_the_first_hubert(corpus: Path, tmp_path: Path) -> None:
    write_phones(tmp_path / "phones.jsonl", {"0": (Phone("K", 0.0, 1.0), Phone("T", 1.0, 2.0))})
    quality = units.train(units_options(corpus, tmp_path, phones=tmp_path / "phones.jsonl"))
    assert (quality.clips, quality.units, quality.used_units, quality.rate) == (4, 5, 5, 25)
    assert quality.aligned_clips == 1
    labels = read_labels(tmp_path / "training" / "labels.txt")
    assert {clip: len(label) for clip, label in labels.items()} == dict.fromkeys("0123", 50)
    assert load_quantizer(tmp_path / "training" / "mfcc_km5.safetensors").dim == 39
    hubert.train(hubert_options(corpus, tmp_path, labels=tmp_path / "training" / "labels.txt", steps=1))


def test_train_labels_are_those_of_the_tokenizer(corpus: Path, output: Path) -> None:
    """The clusters of a folder's HuBERT are its quantizer, and label as `tokenize` does."""
    units.train(units_options(corpus, output, features="hubert", layer=2, labels=output / "second.txt"))
    assert isinstance(load_quantizer(Checkpoint(output, "").quantizer), KMeansQuantizer)
    tokenizer = SpeechTokenizer.load(str(output), expressive=False, device="cpu")
    encoded = tokenizer.encode(read_audio(corpus / "0.wav")).hubert
    assert read_labels(output / "second.txt")["0"].tolist() == encoded.tolist()


def test_train_takes_the_hubert_of_another_folder(corpus: Path, twist_folder: Path, tmp_path: Path) -> None:
    weights = twist_folder / "mhubert-base-25hz" / "model.safetensors"
    units.train(units_options(corpus, tmp_path, features="hubert", hubert=weights, layer=11))
    assert load_quantizer(tmp_path / "training" / "hubert_L11_km5.safetensors").dim == 32


def test_train_takes_the_means_of_two_frames_of_a_hubert_at_50_hz(corpus: Path, tmp_path: Path) -> None:
    units.train(units_options(corpus, tmp_path, rate=50))
    hubert.train(
        hubert_options(corpus, tmp_path, labels=tmp_path / "training" / "labels.txt", rate=50, steps=1)
    )
    weights = tmp_path / "speech_tokenizer" / "hubert_50hz" / "mhubert_base_50hz.safetensors"
    options = units_options(corpus, tmp_path, features="hubert", hubert=weights, layer=2, overwrite=True)
    assert units.train(options).rate == 50
    assert units.train(replace(options, rate=25)).rate == 25
    labels = read_labels(tmp_path / "training" / "labels.txt")
    # 99 frames without padding
    assert {len(label) for label in labels.values()} == {49}
    with pytest.raises(CheckpointError, match="has 50 frames per second, so --rate is 50 or 25"):
        units.train(replace(options, rate=100))


def test_train_clusters_a_sample_of_hours_and_labels_all(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quality = units.train(units_options(corpus, tmp_path, hours=3 / 3600))
    assert "k-means of 100 frames" in capsys.readouterr().err
    assert quality.clips == 4


def test_train_warns_once_of_clips_that_are_too_short(
    corpus: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    soundfile.write(tmp_path / "short.wav", np.zeros(1000), 16000)
    audio = [tmp_path / "short.wav", corpus / "0.wav"]
    (tmp_path / "clips.tsv").write_text("id\taudio\n" + "".join(f"{path.stem}\t{path}\n" for path in audio))
    assert units.train(units_options(corpus, tmp_path, manifest=tmp_path / "clips.tsv")).clips == 1
    assert caplog.messages == [
        f"{tmp_path / 'clips.tsv'}: left out: 1 clip of under 80 ms, the first is short"
    ]


def test_train_replaces_files_only_with_overwrite(corpus: Path, tmp_path: Path) -> None:
    units.train(units_options(corpus, tmp_path))
    before = (tmp_path / "training" / "labels.txt").read_bytes()
    with pytest.raises(CheckpointError, match=r"mfcc_km5\.safetensors: exists; --overwrite"):
        units.train(units_options(corpus, tmp_path))
    with pytest.raises(CheckpointError, match=r"labels\.txt: exists; --overwrite"):
        units.train(units_options(corpus, tmp_path, clusters=4))
    units.train(units_options(corpus, tmp_path, overwrite=True))
    assert (tmp_path / "training" / "labels.txt").read_bytes() == before


def test_train_refuses_what_it_cannot_use(corpus: Path, trained: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="has this quantizer"):
        units.train(units_options(corpus, trained, features="hubert", layer=2))
    with pytest.raises(SpiritLMError, match="200 frames can't make 201 clusters"):
        units.train(units_options(corpus, tmp_path, clusters=201))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": "mel"}, "is mfcc or hubert, not mel"),
        ({"hubert": Path("model.safetensors")}, "needs --features hubert"),
        ({"rate": 30}, "is 25, 50 or 100, not 30"),
        ({"labels": Path("clips.jsonl")}, "which is also an input"),
    ],
)
def test_check_refuses_options(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        UnitsOptions(manifest=Path("clips.jsonl"), output=Path("new"), **changes).check()


def test_frame_sample_is_uniform_and_bounded() -> None:
    sample = FrameSample(100, np.random.default_rng(0))
    for block in np.arange(2000, dtype=np.float32).reshape(40, 50, 1):
        sample.add(block)
    frames = sample.frames()
    assert frames.shape == (100, 1)
    assert sample.seen == 2000
    assert len(np.unique(frames)) == 100
    assert 850 < frames.mean() < 1150
