"""The formats that audio can be written in, and what each of them can hold. Loads neither numpy nor libsndfile."""

from dataclasses import dataclass
from pathlib import Path

from spiritlm_cli.errors import AudioError
from spiritlm_cli.streams import is_written_through

# Sampling rates in Hz that audio can have.
RATES = range(1000, 1_000_001)


@dataclass(frozen=True)
class FileFormat:
    """A format that can be written.

    name: for people. container, subtype: libsndfile's names; subtype is the default one. rates: in Hz; libsndfile
    checks not all of them, and crashes for a Vorbis file of 200,001 Hz. rates_text: the rates, for people. floats:
    whether the samples can be 32-bit floats.
    """

    name: str
    container: str
    subtype: str
    rates: tuple[range, ...]
    rates_text: str
    floats: bool = False

    def explain_rate(self, rate: int) -> str | None:
        """Return why a sampling rate in Hz can't be used, or None if it can."""
        if any(rate in rates for rates in self.rates):
            return None
        return f"{self.name} can't hold a sampling rate of {rate} Hz; it has {self.rates_text}"


# By the suffix of the file.
FORMATS = {
    ".wav": FileFormat("WAV", "WAV", "PCM_16", (RATES,), "1,000 to 1,000,000 Hz", floats=True),
    ".flac": FileFormat(
        "FLAC",
        "FLAC",
        "PCM_16",
        (range(1000, 65536), range(65540, 655351, 10)),
        "1,000 to 65,535 Hz, and multiples of 10 up to 655,350 Hz",
    ),
    ".ogg": FileFormat("OGG (Vorbis)", "OGG", "VORBIS", (range(1000, 200_001),), "1,000 to 200,000 Hz"),
    ".opus": FileFormat(
        "OGG (Opus)",
        "OGG",
        "OPUS",
        (range(8000, 16001, 4000), range(24000, 48001, 24000)),
        "8,000, 12,000, 16,000, 24,000 and 48,000 Hz",
    ),
}
SUFFIXES = ", ".join(FORMATS)


def find_format(container: str, subtype: str | None = None) -> FileFormat | None:
    """Return the format of libsndfile's names. OGG has two; without a subtype, it is Vorbis."""
    formats = [known for known in FORMATS.values() if known.container == container]
    return next((known for known in formats if known.subtype == subtype), formats[0] if formats else None)


def format_of(path: Path | str) -> FileFormat:
    """Return the format that a path names by its suffix; WAV for a device or a named pipe of another name.

    Raises AudioError if there is no such format.
    """
    path = Path(path)
    known = FORMATS.get(path.suffix.lower())
    if known is None and is_written_through(path):
        return FORMATS[".wav"]
    if known is None and not path.suffix:
        raise AudioError(f"{path}: an audio file needs a suffix ({SUFFIXES}); a folder is {path}/")
    if known is None:
        raise AudioError(f"{path}: {path.suffix} can't be written; {SUFFIXES} can")
    return known
