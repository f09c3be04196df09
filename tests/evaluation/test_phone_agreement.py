import numpy as np
import pytest

from spiritlm_cli.alignment.pocketsphinx import Phone
from spiritlm_cli.evaluation.phone_agreement import (
    Information,
    PhoneAgreement,
    count_pairs,
    frame_phones,
    spoken_phones,
)
from spiritlm_cli.manifests.clip import Alignment, Word


def test_phone_agreement_by_hand() -> None:
    units = np.array([0, 0, 1, 1])
    perfect = PhoneAgreement.measure(units, np.array(["A", "A", "B", "B"]))
    assert (perfect.phone_purity, perfect.cluster_purity, perfect.pnmi) == pytest.approx((1.0, 1.0, 1.0))
    independent = PhoneAgreement.measure(units, np.array(["A", "B", "A", "B"]))
    assert (independent.phone_purity, independent.cluster_purity, independent.pnmi) == pytest.approx(
        (0.5, 0.5, 0)
    )
    # three units for two phones: no frame's phone is wrong, and half of the As are in each of A's units
    finer = PhoneAgreement.measure(np.array([4, 9, 7, 7]), np.array(["A", "A", "B", "B"]))
    assert (finer.phone_purity, finer.cluster_purity, finer.pnmi) == pytest.approx((1.0, 0.75, 1.0))
    assert PhoneAgreement.measure(units, np.array(["A"] * 4)).pnmi == 0


def test_phone_agreement_of_eight_frames() -> None:
    """HuBERT's measures, computed by hand."""
    counts = count_pairs(np.array([1, 1, 2, 2, 2, 2, 3, 3]), np.array(list("aaabbbcc")))
    agreement, information = PhoneAgreement.of_counts(counts), Information.of_counts(counts)
    assert (agreement.phone_purity, agreement.cluster_purity) == (0.875, 0.875)
    assert information.mutual == pytest.approx(0.80103, abs=5e-6)
    assert information.phone_entropy == pytest.approx(1.08220, abs=5e-6)
    assert information.unit_entropy == pytest.approx(1.03972, abs=5e-6)
    assert agreement.pnmi == pytest.approx(0.74019, abs=5e-6)
    assert information.mutual / information.unit_entropy == pytest.approx(0.77043, abs=5e-6)


def test_frame_phones_are_those_at_the_centers_of_frames() -> None:
    phones = (Phone("AH", 0.0, 0.24), Phone("T", 0.24, 0.28))
    assert frame_phones(phones, 8, 25) == ["AH"] * 6 + ["T", ""]
    assert frame_phones(phones, 8, 25, thirds=True) == ["AH0", "AH0", "AH1", "AH1", "AH2", "AH2", "T1", ""]
    assert frame_phones(phones, 15, 50) == ["AH"] * 12 + ["T", "T", ""]


def test_spoken_phones_have_no_stress() -> None:
    words = (Word("AH0", 0.0, 0.1), Word("T", 0.1, 0.2), Word("spn", 0.2, 0.3), Word("a2", 0.3, 0.4))
    assert [phone.phone for phone in spoken_phones(Alignment(words))] == ["AH", "T", "spn", "a2"]
