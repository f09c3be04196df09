"""Speech recognizers by name or folder: Whisper models of faster-whisper, and CTC models."""

from pathlib import Path
from typing import Protocol

from spiritlm_cli.config import read_json
from spiritlm_cli.evaluation.judges.folders import describe, describe_folder
from spiritlm_cli.evaluation.recognizer import Recognizer, find_model, model_files
from spiritlm_cli.manifests.clip import Waveform


class Asr(Protocol):
    """A speech recognizer. name: as it was given."""

    name: str

    def transcribe(self, waveform: Waveform) -> str:
        """Return the transcript of a waveform of any sampling rate and length; empty if there is no speech."""
        ...


def load_asr(model: str | Path, device: str = "auto") -> Asr:
    """Load a recognizer: a faster-whisper model by name or folder, or the Hugging Face folder of an `AutoModelForCTC`.

    Raises MissingPackageError without faster-whisper, CheckpointError for anything else.
    """
    if _is_ctc(model):
        # imports transformers, which takes seconds
        from spiritlm_cli.evaluation.judges.ctc_recognizer import CtcRecognizer

        return CtcRecognizer.load(model, device)
    return Recognizer.load(model, device)


def describe_asr(model: str | Path) -> str:
    """How a result names a recognizer: see `describe`. Downloads a faster-whisper model. Raises as `load_asr`."""
    if _is_ctc(model):
        return describe_folder(model, "CTC model")
    return describe(model, model_files(find_model(model)))


def _is_ctc(model: str | Path) -> bool:
    """Whether a model is a Hugging Face folder, and not one of faster-whisper."""
    config = Path(model) / "config.json"
    is_whisper = (Path(model) / "model.bin").exists()
    return config.is_file() and not is_whisper and "model_type" in read_json(config)
