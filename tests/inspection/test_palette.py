from dataclasses import astuple

import pytest

from spiritlm_cli.inspection.palette import DARK, LIGHT
from spiritlm_cli.tokens.units import Kind


def luminance(color):
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_palette_has_the_contrast_of_text(palette):
    background, *others = astuple(palette)
    assert {color: ratio for color in others if (ratio := contrast(color, background)) < 4.5} == {}


def test_palette_stream():
    assert [LIGHT.stream(kind) for kind in Kind] == [LIGHT.phonetic, LIGHT.pitch, LIGHT.style]
