from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spiritlm_cli.audio.reading import read_audio
from spiritlm_cli.profiling.clips import cut_clips, read_samples


def test_read_samples_repeats_a_short_file(recording_file: Path) -> None:
    once = read_audio(recording_file).samples
    sound = read_samples(recording_file, 20)
    assert len(sound) == 20 * 16000
    assert np.array_equal(sound[: len(once)], once)
    assert np.array_equal(sound[len(once) :][: len(once)], once)
    assert np.array_equal(read_samples(recording_file, 1), once[:16000])


@given(samples=st.integers(16_000, 3_200_000))
def test_cut_clips_cuts_all_samples_into_clips_of_2_to_22_seconds(samples: int) -> None:
    sound = np.arange(samples, dtype=np.float32)
    clips = cut_clips(sound)
    assert np.array_equal(np.concatenate(clips), sound)
    assert all(min(32_000, samples) <= len(clip) <= 352_000 for clip in clips)
