import numpy as np
import pytest

from spiritlm_cli.evaluation.bitrate import entropy_bitrate, entropy_bits, nominal_bitrate, perplexity

# 1 1 2 2 2 2 3 3
COUNTS = np.array([0, 2, 4, 2])


def test_nominal_bitrate_of_published_tokenizers() -> None:
    hubert, pitch, style = (501, 25.0), (64, 12.5), (100, 1.0)
    assert nominal_bitrate([hubert]) == 225
    assert nominal_bitrate([hubert, pitch, style]) == 307
    assert nominal_bitrate([(2000, 50.0)]) == 550


def test_entropy_bitrate_of_eight_units() -> None:
    assert entropy_bits(COUNTS) == 1.5
    assert entropy_bitrate(COUNTS, 0.32) == pytest.approx(37.5)
    assert perplexity(COUNTS) == pytest.approx(2**1.5)


def test_entropy_of_one_unit_and_of_none() -> None:
    assert entropy_bits(np.array([0, 7])) == 0
    assert perplexity(np.array([0, 7])) == 1
    assert entropy_bits(np.zeros(3)) == 0
