import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from spiritlm_cli.audio.resampling import Resampler
from spiritlm_cli.manifests.clip import FloatArray


def resample(samples: FloatArray, cuts: list[int], source: int, target: int) -> FloatArray:
    resampler = Resampler(source, target)
    blocks = np.split(samples, sorted(cuts))
    return np.concatenate([resampler.feed(block, block is blocks[-1]) for block in blocks])


@settings(deadline=None)
@given(
    cuts=st.lists(st.integers(0, 30000), max_size=20),
    source=st.sampled_from([8000, 11025, 16000, 44100, 48000]),
    target=st.sampled_from([8000, 16000, 22050, 24000]),
    length=st.integers(1, 30000),
)
def test_output_does_not_depend_on_the_blocks(
    samples: FloatArray, cuts: list[int], source: int, target: int, length: int
) -> None:
    samples = samples[40000 : 40000 + length]
    expected = soxr.resample(samples, source, target, quality="HQ")
    resampled = resample(samples, [min(cut, length) for cut in cuts], source, target)
    assert resampled.dtype == np.float32
    assert np.array_equal(resampled, expected)


def test_feed_takes_strided_arrays(samples: FloatArray) -> None:
    resampled = resample(samples[::2], [1000], 8000, 16000)
    assert np.array_equal(resampled, resample(samples[::2].copy(), [], 8000, 16000))


@pytest.mark.parametrize("last", [False, True])
def test_equal_rates_return_the_input(samples: FloatArray, last: bool) -> None:
    assert np.array_equal(Resampler(16000, 16000).feed(samples, last), samples)
