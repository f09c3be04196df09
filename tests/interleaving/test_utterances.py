from collections.abc import Generator, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from spiritlm_cli.alignment.pocketsphinx import PocketsphinxAligner
from spiritlm_cli.alignment.pool import POCKETSPHINX
from spiritlm_cli.alignment.sources import WordTimes
from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.batching import Outcome
from spiritlm_cli.errors import AlignmentError, AudioError, ManifestError, SpiritLMError, TokenError
from spiritlm_cli.interleaving.interleave import Utterance
from spiritlm_cli.interleaving.utterances import (
    leave_out_untranscribed,
    make_utterance,
    read_utterance,
    read_utterances,
    restore_units,
)
from spiritlm_cli.manifests.clip import Alignment, BadClip, Clip, Transcript, Waveform, Word
from spiritlm_cli.tokens.reader import parse_sequence
from spiritlm_cli.tokens.sequence import Sequence
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.tokens.units import Units

TEXT = "and a strip of cow skin for a belt to hold it in."
TIMES = Alignment((Word("a", 0.32, 0.35), Word("strip", 0.35, 0.63)))


class Published:
    """A tokenizer that returns the published units of one recording for any clip."""

    def __init__(self, units: Units) -> None:
        self.units = units

    def encode(self, waveform: Waveform) -> Units:
        return self.units

    def encode_stream(
        self, clips: Iterable[Clip | BadClip], *, batch_seconds: float | None = None, workers: int = 2
    ) -> Generator[tuple[Clip | BadClip, Outcome[Units]], None, None]:
        """Read all clips before the first result, as batches do."""
        for clip in list(clips):
            yield clip, Outcome(self._encode(clip))

    def _encode(self, clip: Clip | BadClip) -> Iterator[Units]:
        if isinstance(clip, BadClip):
            raise clip.error
        yield self.encode(read_clip(clip))


@pytest.fixture
def tokenizer(published_units: Units) -> Published:
    return Published(published_units)


@pytest.fixture
def clip(recording_file: Path) -> Clip:
    return Clip("one", recording_file, end=3.0, text=TEXT)


def test_read_utterance_aligns_the_text(
    clip: Clip, tokenizer: Published, aligner: PocketsphinxAligner
) -> None:
    utterance = read_utterance(clip, tokenizer, aligner)
    assert utterance.units is tokenizer.units
    assert utterance.text == TEXT
    assert utterance.alignment is not None
    assert [word.word for word in utterance.alignment.words] == TEXT.split()
    assert read_utterance(clip, tokenizer).alignment is None


def test_read_utterance_keeps_word_times(recording_file: Path, tokenizer: Published) -> None:
    utterance = read_utterance(Clip("one", recording_file, end=1.0, alignment=TIMES), tokenizer)
    assert (utterance.text, utterance.alignment) == ("a strip", TIMES)


def test_make_utterance_refuses_words_after_the_units(published_units: Units) -> None:
    seconds = len(published_units.hubert) / 25
    last = Alignment((Word("a", 0.0, seconds + 0.5),))
    cut = make_utterance("one", published_units, Transcript(None, last))
    assert cut.alignment is not None
    assert cut.alignment.words[0].end == seconds
    assert cut.alignment.notes
    near = make_utterance(
        "one", published_units, Transcript(None, Alignment((Word("a", 0.0, seconds + 0.09),)))
    )
    assert near.alignment is not None
    assert near.alignment.notes == ()
    with pytest.raises(AlignmentError, match=r"begins at 12\.00 s, but the audio ends at 9\."):
        make_utterance("one", published_units, Transcript(None, Alignment((Word("a", 12.0, 13.0),))))


def outcomes(
    clips: list[Clip | BadClip], tokenizer: Published | None, times: WordTimes
) -> list[Utterance | str]:
    results: list[Utterance | str] = []
    given = []
    for clip, outcome in read_utterances(clips, tokenizer, times):
        given.append(clip.id)
        try:
            results.append(outcome.result())
        except SpiritLMError as error:
            results.append(f"{type(error).__name__}: {error}")
    assert given == [clip.id for clip in clips]
    return results


def alignment_of(result: Utterance | str) -> Alignment | None:
    assert isinstance(result, Utterance)
    return result.alignment


def test_read_utterances_with_an_aligner(
    clip: Clip, tokenizer: Published, aligner: PocketsphinxAligner
) -> None:
    clips: list[Clip | BadClip] = [
        clip,
        Clip("two", clip.source, text=TEXT, alignment=TIMES),
        BadClip("bad", "clips.tsv", ManifestError("line 3: no audio")),
        Clip("gone", "gone.wav", text="hello"),
        Clip("wordless", clip.source),
        Clip("other", clip.source, end=3.0, text="it was the best of times"),
    ]
    with WordTimes(aligner=POCKETSPHINX) as times:
        one, two, bad, gone, wordless, other = outcomes(clips, tokenizer, times)
    assert alignment_of(one) == aligner.align(read_clip(clip), TEXT)
    assert alignment_of(two) == TIMES
    assert bad == "ManifestError: line 3: no audio"
    assert str(gone).startswith("AudioError: gone.wav: no such file")
    assert alignment_of(wordless) is None
    assert "does not match" in str(other)


def test_read_utterances_with_alignment_files(clip: Clip, tokenizer: Published, tmp_path: Path) -> None:
    (tmp_path / "two.ctm").write_text("rec 1 0.32 0.03 a\nrec 1 0.35 0.28 strip\n")
    clips: list[Clip | BadClip] = [clip, Clip("two", clip.source, alignment=Alignment((Word("b", 0, 1),)))]
    with WordTimes(tmp_path) as times:
        one, two = outcomes(clips, tokenizer, times)
    assert one == f"AlignmentError: one: {tmp_path} has no alignment of this id"
    assert isinstance(two, Utterance)
    assert (two.text, two.alignment) == ("a strip", TIMES)


def test_read_utterances_without_a_tokenizer() -> None:
    (result,) = outcomes([Clip("one", "nowhere.wav", text=TEXT)], None, WordTimes())
    assert isinstance(result, Utterance)
    assert (result.text, len(result.units.hubert)) == (TEXT, 0)


def test_restore_units(published_units: Units) -> None:
    units = restore_units(Sequence.of([merge_streams(published_units, keep_repeats=True)]))
    for name in ("hubert", "pitch", "style"):
        np.testing.assert_array_equal(getattr(units, name), getattr(published_units, name))
    phonetic = Units(published_units.hubert)
    assert restore_units(Sequence.of([merge_streams(phonetic, keep_repeats=True)])).pitch is None


def test_restore_units_refuses_merged_units(published_units: Units) -> None:
    for units in (published_units, Units(published_units.hubert)):
        with pytest.raises(TokenError, match="merged in it; make it with `spiritlm tokenize --keep-repeats`"):
            restore_units(Sequence.of([merge_streams(units)]))
    for line in ("", "[TEXT]hello", "[SPEECH][Hu1][TEXT]hello[SPEECH][Hu2]"):
        with pytest.raises(TokenError, match="not one span of speech"):
            restore_units(parse_sequence(line))


def test_read_utterance_errors(tokenizer: Published, aligner: PocketsphinxAligner) -> None:
    with pytest.raises(AudioError, match="no such file"):
        read_utterance(Clip("one", "nowhere.wav", text="hello"), tokenizer, aligner)


PARTIAL = Alignment((Word("a", 0.32, 0.35), Word("strip", 0.35, 2.44)))


def test_speech_without_transcript_is_left_out(recording_file: Path, tokenizer: Published) -> None:
    clip = Clip("one", recording_file, alignment=PARTIAL)
    with WordTimes() as times:
        (utterance,) = outcomes([clip], tokenizer, times)
    assert isinstance(utterance, Utterance)
    assert utterance.untranscribed == ((2.44, 9.135),)
    assert utterance.alignment is not None
    (note,) = utterance.alignment.notes
    assert note.startswith("from 2.44 to 9.1")
    assert note.endswith("s: speech or noise that the text does not have; its units are left out")
    assert read_utterance(clip, tokenizer).untranscribed == utterance.untranscribed
    for _, outcome in read_utterances([clip], tokenizer, WordTimes(), measure_gaps=False):
        assert outcome.result().untranscribed == ()


@pytest.mark.parametrize("sound", [None, Clip("one", "gone.wav"), Clip("one", "-")])
def test_a_gap_that_cannot_be_measured_is_said(published_units: Units, sound: Clip | None) -> None:
    utterance = make_utterance("one", published_units, Transcript(None, PARTIAL))
    kept = leave_out_untranscribed(utterance, sound)
    assert kept.untranscribed == ()
    assert kept.alignment is not None
    assert (
        "no words, and no sound to measure whether it is silent; its units are kept"
        in kept.alignment.notes[0]
    )


def test_short_gaps_are_not_measured(published_units: Units) -> None:
    whole = Alignment((Word("a", 0.32, 9.0),))
    utterance = make_utterance("one", published_units, Transcript(None, whole))
    assert leave_out_untranscribed(utterance, Clip("one", "gone.wav")) is utterance
