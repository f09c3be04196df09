"""Reading, changing and writing of the sounds of the suite."""

import zlib
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from spiritlm_cli.alignment.pocketsphinx import PocketsphinxAligner
from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.manifests.clip import Clip, Waveform, Word

RATE = 16_000
Samples = NDArray[np.float32]


def load(clips: Path, name: str) -> Samples:
    """The samples of the clip `NAME.*`, at 16 kHz."""
    found = sorted(clips.glob(f"{name}.*"))
    if not found:
        raise SystemExit(f"{clips}: no clip {name}; spoken.py lists all that are needed")
    return read_clip(Clip(name, found[0])).samples


def save(path: Path, samples: Samples) -> None:
    """Write 16-bit WAV at 16 kHz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.clip(samples, -1, 1), RATE, subtype="PCM_16")


def silence(seconds: float) -> Samples:
    """Samples of silence."""
    return np.zeros(round(seconds * RATE), dtype=np.float32)


def join(*parts: Samples) -> Samples:
    """One sound after another."""
    return np.concatenate(parts)


def insert_pause(samples: Samples, seconds: float, pause: float = 0.4) -> Samples:
    """Cut a sound at a time and insert silence; 10 ms at each side are faded."""
    index = min(max(round(seconds * RATE), 0), len(samples))
    before, after = samples[:index].copy(), samples[index:].copy()
    fade = min(160, len(before), len(after))
    if fade:
        before[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
        after[:fade] *= np.linspace(0, 1, fade, dtype=np.float32)
    return join(before, silence(pause), after)


def noise(kind: str, length: int) -> Samples:
    """A background that is the same at each call. kind: white, brown or hum."""
    rng = np.random.default_rng(zlib.crc32(kind.encode()))
    if kind == "hum":
        time = np.arange(length) / RATE
        sound = sum(np.sin(2 * np.pi * 100 * n * time) / n for n in range(1, 8))
    else:
        sound = rng.standard_normal(length)
        if kind == "brown":
            sound = np.cumsum(sound)
            # without what is below about 8 Hz
            sound -= np.convolve(sound, np.ones(2000) / 2000, mode="same")
    sound = np.asarray(sound, dtype=np.float32)
    return sound / np.sqrt(np.mean(sound**2))


def with_noise(samples: Samples, background: Samples, decibels: float = 10.0) -> Samples:
    """Add a background with a signal-to-noise ratio."""
    level = np.sqrt(np.mean(samples**2)) * 10 ** (-decibels / 20)
    return samples + level * background[: len(samples)]


def reverberate(samples: Samples, seconds: float) -> Samples:
    """The sound in a room: noise that decays by 60 dB in `seconds`, after the direct sound."""
    rng = np.random.default_rng(round(1000 * seconds))
    time = np.arange(round(seconds * RATE)) / RATE
    response = 0.05 * rng.standard_normal(len(time)) * 10 ** (-3 * time / seconds)
    response[0] = 1.0
    wet = np.convolve(samples, response.astype(np.float32))[: len(samples)]
    return np.asarray(wet * np.sqrt(np.mean(samples**2) / np.mean(wet**2)), dtype=np.float32)


class Aligner:
    """Word times by the default aligner."""

    def __init__(self) -> None:
        self._aligner = PocketsphinxAligner()

    def words(self, samples: Samples, text: str) -> tuple[Word, ...]:
        """The words of a text and their times."""
        return self._aligner.align(Waveform(samples, RATE), text).words
