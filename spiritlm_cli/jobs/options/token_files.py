"""Checks of the files of token lines that are named on a command line, before a model is loaded."""

from collections.abc import Iterable
from pathlib import Path

from spiritlm_cli.errors import OptionError, TokenError
from spiritlm_cli.text_files import is_audio

_MANIFESTS = (".tsv", ".csv", ".jsonl", ".ndjson", ".scp")


def check_token_files(paths: Iterable[str | None], instead: str) -> None:
    """Check that files of token lines can be such files. "-" is stdin; None is not checked.

    instead: what to do with a text that is given in place of a file's name. Raises OptionError for such a text,
    TokenError for a folder or audio, and OSError for a file that is not there.
    """
    for path in paths:
        if path is None or path == "-":
            continue
        try:
            is_folder = Path(path).is_dir()
            Path(path).stat()
        except OSError:
            if any(character in path for character in " []\t\n"):
                raise OptionError(f"no file has this name: {path[:80]}; {instead}", "FILE") from None
            raise
        if is_folder:
            raise TokenError(f"{path}: a folder; name the files of token lines in it, such as {path}/*.txt")
        if Path(path).is_file():
            with Path(path).open("rb") as stream:
                if is_audio(stream.read(16)):
                    raise TokenError(f"{path}: audio, not token lines; try: spiritlm tokenize {path}")


def has_recordings(source: Path | str) -> bool:
    """Whether examples are in recordings: those of a folder or a manifest, and not token lines."""
    path = Path(source)
    if path.is_dir():
        return True
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:] if suffix.lower() != ".gz"]
    if not (suffixes and suffixes[-1] in _MANIFESTS):
        return False
    from spiritlm_cli.manifests.transcripts import has_token_lines  # `--help` does without numpy

    return not (path.is_file() and has_token_lines(path))
