from pathlib import Path

import numpy as np
import pytest
import soxr
import torch
from causal_lm import change_config
from judge_fixtures import EMOTIONS, write_speech_classifier, write_text_classifier

from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.evaluation.judges.speech_classifier import SpeechClassifier
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.third_party import hide_broken_torchaudio

with hide_broken_torchaudio():
    from transformers import AutoFeatureExtractor, AutoModelForAudioClassification


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_speech_classifier(tmp_path_factory.mktemp("speech_classifier"))


@pytest.fixture(scope="module")
def classifier(folder: Path) -> SpeechClassifier:
    return SpeechClassifier.load(folder, "cpu")


@pytest.fixture(scope="module")
def waveform(clips: dict[str, Waveform]) -> Waveform:
    clip = next(iter(clips.values()))
    return Waveform(clip.samples[:16000], clip.rate)


def test_classify_equals_transformers(folder: Path, classifier: SpeechClassifier, waveform: Waveform) -> None:
    network = AutoModelForAudioClassification.from_pretrained(folder).eval()
    inputs = AutoFeatureExtractor.from_pretrained(folder)(
        waveform.samples, sampling_rate=16000, return_tensors="pt"
    )
    with torch.inference_mode():
        expected = network(**inputs).logits.softmax(-1)[0]
    result = classifier.classify(waveform)
    assert tuple(result.probabilities) == classifier.labels == EMOTIONS
    assert list(result.probabilities.values()) == pytest.approx(expected.tolist(), abs=1e-6)
    assert result == classifier.classify(waveform)


def test_classify_resamples(classifier: SpeechClassifier, waveform: Waveform) -> None:
    other = Waveform(soxr.resample(waveform.samples, 16000, 24000), 24000)
    resampled = Waveform(soxr.resample(other.samples, 24000, 16000), 16000)
    assert classifier.classify(other) == classifier.classify(resampled)


@pytest.mark.parametrize("samples", [0, 399])
def test_classify_pads_what_is_too_short(classifier: SpeechClassifier, samples: int) -> None:
    assert classifier.classify(Waveform(np.zeros(samples, np.float32), 16000)).label in EMOTIONS


def test_weighted_sum_of_layers(tmp_path: Path, waveform: Waveform) -> None:
    folder = write_speech_classifier(tmp_path, use_weighted_layer_sum=True)
    assert SpeechClassifier.load(folder, "cpu").classify(waveform).label in EMOTIONS


def test_load_names_what_is_wrong(tmp_path: Path) -> None:
    folder = write_speech_classifier(tmp_path / "speech")
    change_config(folder, id2label={"0": "a", "1": "b"})
    with pytest.raises(CheckpointError, match=r"not a classifier of the wav2vec 2\.0 family"):
        SpeechClassifier.load(folder, "cpu")
    with pytest.raises(CheckpointError, match="model_type is 'roberta', expected one of"):
        SpeechClassifier.load(write_text_classifier(tmp_path / "text"), "cpu")
    with pytest.raises(CheckpointError, match="give the Hugging Face folder of a speech classifier"):
        SpeechClassifier.load(tmp_path / "none", "cpu")
