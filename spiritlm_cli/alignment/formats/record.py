"""Whole files, with typed errors."""

from pathlib import Path

from spiritlm_cli.errors import ManifestError


def read_content(path: Path | str) -> bytes:
    """All of a file. Raises ManifestError where it can't be read."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise ManifestError(f"{path}: no such file") from None
    except OSError as error:
        raise ManifestError(f"{path}: can't be read ({error.strerror or error})") from None
