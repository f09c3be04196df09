from itertools import pairwise

import numpy as np
import pytest
import soxr

from spiritlm_cli.alignment.pocketsphinx import PocketsphinxAligner
from spiritlm_cli.errors import AlignmentError
from spiritlm_cli.manifests.clip import Waveform

TEXT = (
    "and a strip of cow skin for a belt to hold it in. "
    "I could show you where to get something, he said at last. "
    "Well, show me, cried Robin."
)
# where the hiss of words that begin with s or sh sets in: there is more energy above 4 kHz than below 2 kHz
HISS = {"strip": 0.35, "skin": 1.04, "show": 4.55, "something,": 5.31, "said": 6.08}


def test_align_a_recording(recording: Waveform, aligner: PocketsphinxAligner) -> None:
    words = aligner.align(recording, TEXT).words
    assert [word.word for word in words] == TEXT.split()
    assert all(word.start < word.end for word in words)
    assert all(left.end <= right.start for left, right in pairwise(words))
    starts = {word.word: word.start for word in reversed(words)}
    assert all(abs(starts[word] - start) <= 0.03 for word, start in HISS.items())
    # the pause between the sentences is nobody's
    assert words[12].end < 2.6
    assert words[13].start > 3.9


def test_align_times(recording: Waveform, aligner: PocketsphinxAligner) -> None:
    loud = np.abs(recording.samples)
    in_words = np.zeros(len(loud), dtype=bool)
    for word in aligner.align(recording, TEXT).words:
        in_words[int(word.start * recording.rate) : int(word.end * recording.rate)] = True
    assert loud[in_words].mean() > 5 * loud[~in_words].mean()


def test_align_phones(recording: Waveform, aligner: PocketsphinxAligner) -> None:
    words, phones = aligner.align_phones(recording, TEXT)
    assert words == aligner.align(recording, TEXT)
    assert phones[0].start == 0
    assert all(left.end == right.start for left, right in pairwise(phones))
    assert recording.seconds - phones[-1].end < 0.05
    assert {word.start for word in words.words} <= {phone.start for phone in phones}
    assert [phone.phone for phone in phones if 0.34 < phone.start < 0.62] == ["S", "T", "R", "IH", "P"]


def test_align_unknown_words_numbers_and_dashes(recording: Waveform, aligner: PocketsphinxAligner) -> None:
    # The same pronunciation in other spellings.
    text = "-- " + TEXT.replace("cow skin for", "kouskynne 4").replace("to hold", "2 hold").replace(
        " I", " -- I"
    )
    words = aligner.align(recording, text).words
    assert [word.word for word in words] == text.split()
    times = {word.word: (word.start, word.end) for word in words}
    assert times["kouskynne"] == pytest.approx((0.74, 1.33), abs=0.1)
    assert times["2"] == pytest.approx((1.83, 1.92), abs=0.05)
    # at the start a dash waits for the first word; later it follows the word before it
    assert words[0].start == words[0].end == words[1].start
    dash = next(index for index, word in enumerate(words) if word.word == "--" and index)
    assert words[dash].start == words[dash].end == words[dash - 1].end


def test_align_is_independent_of_the_clip_before(recording: Waveform, aligner: PocketsphinxAligner) -> None:
    middle = Waveform(recording.samples[: 3 * recording.rate], recording.rate)
    sentence = TEXT[: TEXT.index("I")]
    alone = PocketsphinxAligner().align(middle, sentence)
    for _ in range(2):
        aligner.align(recording, TEXT)
        assert aligner.align(middle, sentence) == alone
        assert aligner.align(middle, sentence) == alone


def test_align_resamples(recording: Waveform, aligner: PocketsphinxAligner) -> None:
    upsampled = Waveform(soxr.resample(recording.samples, recording.rate, 44100), 44100)
    shifts = [
        abs(one.start - other.start)
        for one, other in zip(
            aligner.align(upsampled, TEXT).words, aligner.align(recording, TEXT).words, strict=True
        )
    ]
    assert max(shifts) <= 0.03


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no words"),
        ("-- …", "no words"),
        ("Καλημέρα", "'Καλημέρα' has no English pronunciation"),
        ("a b c d e f g " * 90, "does not match"),
        ("It was the best of times, it was the worst of times, it was the age of wisdom.", "does not match"),
    ],
)
def test_align_errors(recording: Waveform, aligner: PocketsphinxAligner, text: str, reason: str) -> None:
    with pytest.raises(AlignmentError, match=reason):
        aligner.align(recording, text)


def test_align_refuses_silence_and_short_audio(aligner: PocketsphinxAligner) -> None:
    for samples in (0, 300, 800):
        with pytest.raises(AlignmentError):
            aligner.align(Waveform(np.zeros(samples, dtype=np.float32), 16000), "hello")


def test_align_prints_nothing(
    recording: Waveform, aligner: PocketsphinxAligner, capfd: pytest.CaptureFixture[str]
) -> None:
    aligner.align_phones(recording, TEXT)
    with pytest.raises(AlignmentError):
        PocketsphinxAligner().align(recording, "hello " * 500)
    assert capfd.readouterr() == ("", "")
