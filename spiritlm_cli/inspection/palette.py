"""The colors of plots and of the page: the same for the same stream or sound, in both.

The hues are those of Okabe and Ito, "Color Universal Design", 2008, which color-blind people can tell apart. They are
made darker or lighter until text in them has the contrast that WCAG 2.2 asks for at level AA (4.5).
"""

from dataclasses import dataclass

from spiritlm_cli.tokens.units import Kind


@dataclass(frozen=True)
class Palette:
    """Colors as `#rrggbb`: the background, text, each stream of units, and the two sounds and their F0.

    F0 that is rebuilt from pitch units has the color of the pitch units.
    """

    background: str
    text: str
    phonetic: str
    pitch: str
    style: str
    original: str
    resynthesis: str

    def stream(self, kind: Kind) -> str:
        """The color of a stream."""
        return {Kind.HUBERT: self.phonetic, Kind.PITCH: self.pitch, Kind.STYLE: self.style}[kind]


LIGHT = Palette(
    background="#ffffff",
    text="#1c2026",
    phonetic="#0b62a8",
    pitch="#b34700",
    style="#00735c",
    original="#4d5561",
    resynthesis="#8d3f8c",
)
DARK = Palette(
    background="#14171c",
    text="#e6e9ee",
    phonetic="#6cb6ff",
    pitch="#ff9d57",
    style="#45cfa5",
    original="#aab3bf",
    resynthesis="#e59be0",
)
