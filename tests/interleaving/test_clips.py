import random
from pathlib import Path

import pytest

from spiritlm_cli.audio.clip import Alignment, Clip, Waveform, Word
from spiritlm_cli.errors import AlignmentError, AudioError
from spiritlm_cli.interleaving.aligners.pocketsphinx import PocketsphinxAligner
from spiritlm_cli.interleaving.clips import interleave_clip, read_utterance
from spiritlm_cli.interleaving.spans import Mode, SpanOptions
from spiritlm_cli.tokens.sequence import Sequence
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.tokens.units import Units

TEXT = "and a strip of cow skin for a belt to hold it in."


class Published:
    """A tokenizer that knows the answer for one recording: as long as it is not cut, any clip is that one."""

    def __init__(self, units: Units) -> None:
        self.units = units

    def encode(self, waveform: Waveform) -> Units:
        return self.units


@pytest.fixture
def clip(recording_file: Path) -> Clip:
    return Clip("one", recording_file, end=3.0, text=TEXT)


def test_a_clip_and_its_text(clip: Clip, published_units: Units, aligner: PocketsphinxAligner) -> None:
    tokenizer = Published(published_units)
    sequence = interleave_clip(clip, tokenizer, aligner, SpanOptions(Mode.ASR), random.Random(0))
    assert sequence.spans[0] == merge_streams(published_units)
    assert sequence.text == TEXT
    utterance = read_utterance(clip, tokenizer, aligner)
    assert utterance.alignment is not None
    assert [word.word for word in utterance.alignment.words] == TEXT.split()


def test_word_times_that_come_with_the_clip_are_taken(recording_file: Path, published_units: Units) -> None:
    alignment = Alignment((Word("a", 0.32, 0.35), Word("strip", 0.35, 0.63)))
    clip = Clip("one", recording_file, end=1.0, alignment=alignment)
    utterance = read_utterance(clip, Published(published_units))
    assert (utterance.text, utterance.alignment) == ("a strip", alignment)


def test_what_a_clip_must_have(clip: Clip, published_units: Units, aligner: PocketsphinxAligner) -> None:
    def make(clip: Clip, mode: Mode, aligner: PocketsphinxAligner | None) -> Sequence:
        return interleave_clip(clip, Published(published_units), aligner, SpanOptions(mode), random.Random(0))

    with pytest.raises(AlignmentError, match="no word times"):
        make(clip, Mode.INTERLEAVE, None)
    assert make(clip, Mode.TTS, None).text == TEXT
    wordless = Clip("one", clip.source)
    for mode in (Mode.INTERLEAVE, Mode.TEXT, Mode.ASR, Mode.TTS):
        with pytest.raises(AlignmentError, match="no text"):
            make(wordless, mode, aligner)
    assert make(wordless, Mode.SPEECH, aligner).speech
    with pytest.raises(AlignmentError, match="does not fit"):
        make(Clip("one", clip.source, text="hello " * 500), Mode.INTERLEAVE, aligner)
    with pytest.raises(AudioError, match="no such file"):
        make(Clip("one", "nowhere.wav", text="hello"), Mode.INTERLEAVE, aligner)
