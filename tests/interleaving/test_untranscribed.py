import numpy as np
import pytest

from spiritlm_cli.interleaving.untranscribed import find_untranscribed, long_gaps
from spiritlm_cli.manifests.clip import Alignment, Waveform, Word

RATE = 16000
WORDS = Alignment((Word("a", 0.25, 0.5), Word("b", 0.5, 2.0), Word("c", 4.0, 5.0)))


def sound(gap_db: float, noise_db: float = -100.0) -> Waveform:
    """Seven seconds with words from 0.25 to 2 and from 4 to 5 s, speech at a level in the gap from 2.5 to 3.5 s, and
    steady noise. Levels are relative to the words."""
    rng = np.random.default_rng(0)
    times = np.arange(7 * RATE) / RATE
    syllables = 0.1 + np.abs(np.sin(2 * np.pi * 2 * times))
    envelope = np.zeros_like(times)
    for start, end, db in ((0.25, 2.0, 0.0), (4.0, 5.0, 0.0), (2.5, 3.5, gap_db)):
        envelope[int(start * RATE) : int(end * RATE)] = 10 ** (db / 20)
    noise = rng.standard_normal(len(times)) * 0.05
    samples = noise * envelope * syllables + rng.standard_normal(len(times)) * 0.05 * 10 ** (noise_db / 20)
    return Waveform(samples.astype(np.float32), RATE)


def test_long_gaps() -> None:
    assert long_gaps(WORDS, 7.0) == ((2.0, 4.0), (5.0, 7.0))
    assert long_gaps(WORDS, 5.5) == ((2.0, 4.0),)
    assert long_gaps(Alignment((Word("a", 1.0, 2.0),)), 2.5) == ((0.0, 1.0),)
    assert long_gaps(Alignment(()), 5.0) == ()


@pytest.mark.parametrize("gap_db", [6, 0, -6, -10])
def test_speech_in_a_gap_is_found_and_silence_is_not(gap_db: float) -> None:
    assert find_untranscribed(sound(gap_db), WORDS) == ((2.0, 4.0),)


@pytest.mark.parametrize(
    ("gap_db", "noise_db"), [(-100, -100), (-30, -100), (-100, -40), (-100, -20), (-100, -10)]
)
def test_silence_and_steady_noise_are_not_speech(gap_db: float, noise_db: float) -> None:
    assert find_untranscribed(sound(gap_db, noise_db), WORDS) == ()


def test_it_does_not_depend_on_the_level_of_the_sound() -> None:
    for level in (1e-3, 1.0, 20.0):
        waveform = sound(0)
        assert find_untranscribed(Waveform(waveform.samples * np.float32(level), RATE), WORDS) == (
            (2.0, 4.0),
        )


def test_without_words_or_samples() -> None:
    assert find_untranscribed(sound(0), Alignment(())) == ()
    assert find_untranscribed(sound(0), Alignment((Word("--", 3.0, 3.0),))) == ()
    assert find_untranscribed(Waveform(np.zeros(3, np.float32), RATE), WORDS) == ()
