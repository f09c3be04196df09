from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from judge_fixtures import write_speech_classifier

from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.errors import AudioError, ManifestError
from spiritlm_cli.evaluation.judges.speech_classifier import SpeechClassifier
from spiritlm_cli.evaluation.recognizer import Recognizer
from spiritlm_cli.evaluation.resynthesis import ResynthesisMeter, Speech
from spiritlm_cli.manifests.clip import Clip, Waveform
from spiritlm_cli.speech.f0 import load_tracker
from spiritlm_cli.tokens.units import Units

SAID = "a strip of cow skin for a belt to hold it in"


@pytest.fixture
def clip(recording_file: Path) -> Clip:
    return Clip("clip", recording_file, start=0.0, end=3.0, text=SAID, speaker="reader")


@pytest.fixture
def original(clip: Clip) -> Waveform:
    return read_clip(clip)


def test_measure_without_judges(clip: Clip, original: Waveform) -> None:
    units = Units(np.array([3, 3, 5]))
    record = ResynthesisMeter().measure(clip, Speech(original, original, units=units, voice="x"))
    assert record == {
        "reference": SAID,
        "speaker": "reader",
        "voice": "x",
        "set": None,
        "corpus": "LibriSpeech",
        "seconds": pytest.approx(3.0, abs=0.01),
        "resynthesis_seconds": pytest.approx(3.0, abs=0.01),
        "units": {"Hu": [3, 3, 5]},
    }


def test_transcripts_of_both(clip: Clip, original: Waveform, whisper: Recognizer) -> None:
    silence = Waveform(np.zeros(16000, np.float32), 16000)
    meter = ResynthesisMeter(asr=whisper, normalizer="spoken")
    transcripts = meter.measure(clip, Speech(original, silence))["transcripts"]
    assert transcripts["original"]["wer"] <= 0.3
    assert transcripts["resynthesis"]["wer"] >= 0.7


@pytest.mark.parametrize("text", [None, " ", "..."])
def test_a_clip_without_text_is_not_transcribed(
    recording_file: Path, original: Waveform, text: str | None
) -> None:
    class Silent:
        name = "silent"

        def transcribe(self, waveform: Waveform) -> str:
            return ""

    meter = ResynthesisMeter(asr=Silent(), normalizer="spoken")
    both = Speech(original, original)
    assert "transcripts" not in meter.measure(Clip("clip", recording_file, text=text), both)
    assert "transcripts" in meter.measure(Clip("clip", recording_file, text="well"), both)


def test_f0_is_compared_with_the_timing_of_the_clip(clip: Clip, original: Waveform) -> None:
    meter = ResynthesisMeter(tracker=load_tracker("fcpe"))
    same = meter.measure(clip, Speech(original, original))["f0"]
    assert (same["gross"], same["voicing"]) == (0, 0)
    assert same["voiced"] > 100
    assert same["log_correlation"] == pytest.approx(1)
    faster = Waveform(np.ascontiguousarray(original.samples[::2]), 16000)
    assert meter.measure(clip, Speech(original, faster))["f0"]["gross"] > 0
    assert meter.measure(clip, Speech(original, faster, timed=original))["f0"] == same
    with pytest.raises(AudioError, match="too short"):
        meter.measure(clip, Speech(original, Waveform(original.samples[:100], 16000)))


def test_styles_of_both(clip: Clip, original: Waveform, tmp_path: Path) -> None:
    classifier = SpeechClassifier.load(write_speech_classifier(tmp_path / "judge"), device="cpu")
    style = ResynthesisMeter(style=classifier).measure(clip, Speech(original, original))["style"]
    assert style["original"] == style["resynthesis"]
    assert style["original"] in classifier.labels
    assert "reference" not in style
    labeled = ResynthesisMeter(style=classifier, styles={"clip": "happy"})
    assert labeled.measure(clip, Speech(original, original))["style"] == style | {"reference": "happy"}
    with pytest.raises(ManifestError, match="clip: has no style"):
        replace(labeled, styles={}).measure(clip, Speech(original, original))
