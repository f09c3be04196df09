"""Speech recognizers by name or folder: Whisper models of faster-whisper, and CTC models."""

from pathlib import Path
from typing import Protocol

from spiritlm_cli.config import read_json
from spiritlm_cli.evaluation.recognizer import Recognizer
from spiritlm_cli.manifests.clip import Waveform


class Asr(Protocol):
    """A speech recognizer. name: as it was given. description: the name, and a hash of the model's files."""

    name: str

    @property
    def description(self) -> str: ...

    def transcribe(self, waveform: Waveform) -> str:
        """Return the transcript of a waveform of any sampling rate and length; empty if there is no speech."""
        ...


def load_asr(model: str | Path, device: str = "auto") -> Asr:
    """Load a recognizer: a faster-whisper model by name or folder, or the Hugging Face folder of an `AutoModelForCTC`.

    Raises MissingPackageError without faster-whisper, CheckpointError for anything else.
    """
    config = Path(model) / "config.json"
    if not (Path(model) / "model.bin").exists() and config.is_file() and "model_type" in read_json(config):
        # imports transformers, which takes seconds
        from spiritlm_cli.evaluation.judges.ctc_recognizer import CtcRecognizer

        return CtcRecognizer.load(model, device)
    return Recognizer.load(model, device)
