import dataclasses
from pathlib import Path

import numpy as np
import pytest

from spiritlm_cli.audio.reading import read_audio
from spiritlm_cli.errors import AudioError, CheckpointError, TokenError
from spiritlm_cli.inspection.inspector import Inspector
from spiritlm_cli.manifests.clip import Alignment, Transcript, Waveform, Word
from spiritlm_cli.tokens.reader import parse_line
from spiritlm_cli.tokens.units import Kind
from spiritlm_cli.tokens.writer import format_sequence


@pytest.fixture(scope="module")
def inspector(release_tree):
    return Inspector(model=str(release_tree), device="cpu")


@pytest.fixture(scope="module")
def with_sounds(inspector):
    return dataclasses.replace(inspector, sounds=True)


@pytest.fixture(scope="module")
def waveform(recording_file):
    return read_audio(recording_file, start=1, end=1.5)


def test_inspect_waveform(inspector, waveform):
    words = (Word("hello", 0.1, 0.4),)
    inspected = inspector.inspect_waveform(waveform, "a", "a.wav", Transcript("hello", Alignment(words)))
    assert (inspected.id, inspected.source, inspected.text, inspected.words) == ("a", "a.wav", "hello", words)
    assert inspected.model == Path(inspector.model).name
    assert inspected.sequence == inspector.tokenizer.tokenize(waveform)
    units = inspector.tokenizer.encode(waveform)
    assert not inspected.timeline.predicted
    assert [lane.counts.sum() for lane in inspected.timeline.lanes] == [
        len(units.hubert),
        len(units.pitch),
        len(units.style),
    ]
    assert inspected.original.waveform is waveform
    assert inspected.original.f0 is inspected.resynthesis is inspected.rebuilt_f0 is None


def test_inspect_waveform_keeps_repeats(inspector, waveform):
    kept = dataclasses.replace(inspector, keep_repeats=True).inspect_waveform(waveform, "a", "a.wav")
    assert kept.sequence == inspector.tokenizer.tokenize(waveform, keep_repeats=True)


def test_inspect_waveform_with_sounds(with_sounds, waveform):
    inspected = with_sounds.inspect_waveform(waveform, "a", "a.wav")
    # the resynthesis lasts as long as the units, of which the original may have part of one more
    assert inspected.resynthesis.waveform.seconds == pytest.approx(inspected.timeline.seconds)
    assert inspected.resynthesis.waveform.rate == 16000
    assert abs(inspected.seconds - inspected.timeline.seconds) < 0.08
    for sound in (inspected.original, inspected.resynthesis):
        assert len(sound.f0.f0) == len(sound.waveform.samples) // 80 + 1
    assert len(inspected.rebuilt_f0.f0) == 16 * round(12.5 * inspected.timeline.seconds)


def test_inspect_waveform_of_phonetic_units_only(release_tree, waveform):
    base = Inspector(model=str(release_tree), device="cpu", expressive=False, sounds=True)
    inspected = base.inspect_waveform(waveform, "a", "a.wav")
    assert [lane.kind for lane in inspected.timeline.lanes] == [Kind.HUBERT]
    assert inspected.resynthesis.f0 is not None
    assert inspected.rebuilt_f0 is None


def test_inspect_waveform_that_is_too_short(inspector):
    with pytest.raises(AudioError, match="80 ms"):
        inspector.inspect_waveform(Waveform(np.zeros(100, dtype=np.float32), 16000), "a", "a.wav")


@pytest.mark.parametrize(
    ("line", "predicted"),
    [
        ("[SPEECH][St1][Pi1][Hu1][Hu1][Pi2][Hu1][Hu2]", False),
        ("[SPEECH][St1][Pi1][Hu1][Pi2][Hu2][Pi3][Hu3]", True),
        ("[TEXT]the cat [SPEECH][Hu1][Hu2][Hu3]", True),
    ],
)
def test_inspect_sequence_lasts_as_long_as_its_resynthesis(with_sounds, line, predicted):
    inspected = with_sounds.inspect_sequence(parse_line(line).sequence, "1", "lines.txt")
    assert format_sequence(inspected.sequence) == line
    assert inspected.timeline.predicted is predicted
    assert inspected.original is None
    assert inspected.seconds == inspected.timeline.seconds
    assert inspected.resynthesis.waveform.seconds == pytest.approx(inspected.seconds)
    assert (inspected.rebuilt_f0 is None) is ("Pi" not in line)


@pytest.mark.parametrize("line", ["", "[TEXT]the cat", "[SPEECH][Pi1]"])
def test_inspect_sequence_without_speech(with_sounds, line):
    inspected = with_sounds.inspect_sequence(parse_line(line).sequence, "1", "lines.txt")
    assert (inspected.seconds, inspected.resynthesis) == (0, None)


def test_inspect_sequence_of_unknown_units(inspector):
    with pytest.raises(TokenError, match="not a unit of this vocoder"):
        inspector.inspect_sequence(parse_line("[SPEECH][Hu9999]").sequence, "1", "lines.txt")


def test_phonetic_units_without_a_vocoder_for_them(caplog, waveform):
    nano = Inspector(model="nano", device="cpu", expressive=False, sounds=True)
    line = nano.inspect_sequence(parse_line("[SPEECH][Hu1][Hu2]").sequence, "1", "lines.txt")
    assert line.resynthesis is None
    assert line.seconds > 0
    clip = nano.inspect_waveform(waveform, "a", "a.wav")
    assert clip.resynthesis is None
    assert clip.original.f0 is not None
    assert caplog.messages == [
        "nano has no vocoder for phonetic units without pitch: they are shown without resynthesis"
    ]


def test_only_lines_without_repeats_need_a_vocoder(release_tree, tmp_path):
    for folder in ("spiritlm_model", "speech_tokenizer"):
        (tmp_path / folder).mkdir()
    for folder in (release_tree / "speech_tokenizer").iterdir():
        if "hifigan" not in folder.name:
            (tmp_path / "speech_tokenizer" / folder.name).symlink_to(folder)
    inspector = Inspector(model=str(tmp_path), device="cpu")
    kept = parse_line("[SPEECH][Hu1][Hu1][Hu2]").sequence
    assert inspector.inspect_sequence(kept, "1", "lines.txt").seconds == pytest.approx(0.12)
    with pytest.raises(CheckpointError):
        inspector.inspect_sequence(parse_line("[SPEECH][Hu1][Hu2]").sequence, "1", "lines.txt")


@pytest.mark.parametrize("unit", ["Pi64", "St100"])
def test_inspect_sequence_of_unknown_pitch_and_style(inspector, unit):
    with pytest.raises(TokenError, match=rf"\[{unit}\] is not a unit of this vocoder"):
        inspector.inspect_sequence(parse_line(f"[SPEECH][Pi1][{unit}][Hu1]").sequence, "1", "lines.txt")
