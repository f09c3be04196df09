"""All parts, trained into one folder, form a checkpoint."""

from pathlib import Path

import soundfile

from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.vocoder.vocoder import Vocoder


def test_trained_parts_load_as_a_checkpoint(trained: Path, recording_file: Path) -> None:
    samples, rate = soundfile.read(recording_file, dtype="float32")
    units = SpeechTokenizer.load(str(trained)).encode(Waveform(samples[: 2 * rate], rate))
    assert len(units.hubert) == 49
    assert units.pitch is not None
    assert units.style is not None
    assert len(units.pitch) == 25
    assert len(units.style) == 2
    span = merge_streams(units)
    speech = Vocoder.load(str(trained)).decode(span, durations="keep")
    assert len(speech.samples) % 640 == 0
    model = LanguageModel.load(str(trained))
    assert model.vocabulary.size <= model.network.config.vocab_size
