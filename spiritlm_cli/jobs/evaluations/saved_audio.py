"""Speech of items that is kept in a folder: `--save-audio`."""

from collections.abc import Iterable
from pathlib import Path

from spiritlm_cli.audio.writing import write_audio
from spiritlm_cli.errors import OptionError
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.manifests.filenames import filename_for


def check_saved_audio(folder: Path, recordings: Iterable[Path | str]) -> None:
    """Raise OptionError if a folder to write to has one of the recordings that are read, which could be lost."""
    target = folder.resolve()
    for recording in recordings:
        if Path(recording).resolve().parent == target:
            raise OptionError(f"{folder} has the recording {recording}", "--save-audio")


def save_audio(folder: Path | None, item_id: str, waveform: Waveform) -> None:
    """Write speech to a folder, if there is to be one, as a WAV file with the id of its item as its name."""
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        write_audio(folder / f"{filename_for(item_id)}.wav", waveform)
