from pathlib import Path

import pytest
import soundfile
from training_fixtures import assert_same_weights, vocoder_options

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.training import vocoder
from spiritlm_cli.training.metrics import metrics_path

WEIGHTS = "speech_tokenizer/hifigan_spiritlm_expressive_w2v2/generator.safetensors"


def test_train_resynthesizes_held_out_clips_at_each_save(corpus: Path, trained: Path, tmp_path: Path) -> None:
    options = vocoder_options(corpus, tmp_path, valid_manifest=corpus / "test.jsonl", save_every=1)
    vocoder.train(options)
    sounds = sorted((tmp_path / "training" / "samples" / "vocoder").rglob("*.wav"))
    assert [str(path.relative_to(tmp_path)) for path in sounds] == [
        f"training/samples/vocoder/{step}/01.wav" for step in (1, 2)
    ]
    samples, rate = soundfile.read(sounds[0])
    assert (len(samples), rate) == (2 * 16000, 16000)
    assert all("valid_mel" in line for line in metrics_path(options, "vocoder").read_text().splitlines())
    # it does not change the training
    assert_same_weights(trained / WEIGHTS, tmp_path / WEIGHTS)


def test_train_refuses_held_out_clips_of_other_speakers(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"test\.jsonl: no clip of y has over 14 units"):
        vocoder.train(vocoder_options(corpus, tmp_path, valid_manifest=corpus / "test.jsonl", speakers="y"))
