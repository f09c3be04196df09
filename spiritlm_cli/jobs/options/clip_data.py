"""Options that name the recordings of an evaluation."""

from dataclasses import dataclass
from pathlib import Path

from spiritlm_cli.errors import OptionError
from spiritlm_cli.options import option


@dataclass(frozen=True, kw_only=True)
class ClipDataOptions:
    """Recordings, with or without texts."""

    data: Path | None = option(
        None,
        "Folder in LibriSpeech's layout, folder of audio files with a text file beside each, or a manifest.",
        metavar="DATA",
        argument=True,
        reads=True,
        group="input",
    )
    manifest: Path | None = option(
        None,
        "Manifest: TSV or CSV with a header line, or JSONL. Fields: id, audio, text, and optionally speaker.",
        metavar="FILE",
        reads=True,
        group="input",
    )

    @property
    def source(self) -> Path:
        """The folder or manifest that is given; `scan_transcribed` reads it."""
        source = self.data or self.manifest
        assert source is not None
        return source

    def check_data(self) -> None:
        """Raise OptionError unless one source is given, OSError if it does not exist."""
        if self.data and self.manifest:
            raise OptionError("both DATA and --manifest are given; give one of them", "DATA")
        if not (self.data or self.manifest):
            raise OptionError("give either a folder or manifest, or --manifest", "DATA")
        if str(self.source) != "-":
            self.source.stat()
