import json

import numpy as np
import pytest

from spiritlm_cli.alignment.pocketsphinx import Phone
from spiritlm_cli.evaluation.phone_agreement import PhoneAgreement
from spiritlm_cli.training.unit_quality import measure_units


def test_measure_units_counts_use_entropy_and_runs() -> None:
    labels = {"a": np.array([0, 0, 1, 1]), "b": np.array([3, 3, 3, 0])}
    quality = measure_units(labels, {}, units=8, rate=4)
    assert (quality.clips, quality.used_units, quality.agreement) == (2, 3, None)
    assert quality.hours == pytest.approx(2 / 3600)
    assert quality.units_per_second == 2
    shares = np.array([3, 2, 3]) / 8
    assert quality.entropy_bits == pytest.approx(-(shares * np.log2(shares)).sum())
    assert str(measure_units({"a": np.array([1, 1])}, {}, units=3, rate=4).entropy_bits) == "0.0"


def test_measure_units_compares_with_the_phones_of_aligned_clips() -> None:
    phones = {"a": (Phone("K", 0.0, 0.5), Phone("T", 0.5, 0.75)), "elsewhere": (Phone("S", 0.0, 1.0),)}
    labels = {"a": np.array([5, 5, 6, 7]), "b": np.array([5, 5])}
    quality = measure_units(labels, phones, units=8, rate=4)
    assert quality.aligned_clips == 1
    # the last frame of a has no phone, and b has none
    assert quality.agreement == PhoneAgreement(1.0, 1.0, pytest.approx(1.0))
    figures = json.loads(json.dumps(quality.to_json()))
    assert figures["phone_purity"] == 1.0
    assert "agreement" not in figures
    assert len(quality.table().rows) == 11
