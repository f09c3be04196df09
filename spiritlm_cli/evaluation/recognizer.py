"""The speech recognizer that scores listen with: Whisper through faster-whisper."""

from pathlib import Path
from typing import Any

from spiritlm_cli.errors import CheckpointError, MissingPackageError
from spiritlm_cli.manifests.clip import Waveform

RATE = 16_000  # what Whisper listens at
WINDOW = 30.0  # seconds that it hears at once


class Recognizer:
    """English speech to text, the same text for the same sound every time.

    Beam search of five at temperature 0, with nothing drawn: the retries at higher temperatures and the rules
    that drop a doubtful segment are off, so what is scored is what was heard. Each window is heard by itself,
    not after the text before it.
    """

    def __init__(self, model: Any, name: str) -> None:
        self._model = model
        self.name = name

    @classmethod
    def load(cls, model: str | Path = "base.en", device: str = "auto") -> "Recognizer":
        """A faster-whisper name ("tiny.en", "large-v3", a Hugging Face repository), or such a folder.

        On the CPU the weights are 8-bit, on a GPU 16-bit. Devices: auto, cpu, cuda, cuda:n; on others (mps),
        for which CTranslate2 has no code, it works on the CPU.

        Raises MissingPackageError without faster-whisper, CheckpointError for a folder that is no such model
        or a name that can't be fetched.
        """
        try:
            import ctranslate2
            import faster_whisper
        except ModuleNotFoundError as error:
            raise MissingPackageError(
                "the recognizer needs faster-whisper: pip install 'spiritlm[evaluate]'"
            ) from error
        folder = Path(model)
        if folder.is_dir() and not (folder / "model.bin").is_file():
            raise CheckpointError(
                f"{folder}: no model.bin; expected a Whisper model as faster-whisper reads it"
            )
        name, _, index = device.partition(":")
        if name == "auto":
            name = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
        on_gpu = name == "cuda"
        try:
            loaded = faster_whisper.WhisperModel(
                str(model),
                device="cuda" if on_gpu else "cpu",
                device_index=int(index or 0) if on_gpu else 0,
                compute_type="float16" if on_gpu else "int8",
            )
        # what comes up depends on where the model comes from: ValueError for a name, RuntimeError for a file,
        # OSError and its kin for the network
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise CheckpointError(
                f"recognizer {model}: {reason}; give the name of a faster-whisper model, or a folder with one"
            ) from error
        return cls(loaded, str(model))

    def transcribe(self, waveform: Waveform) -> str:
        """What is said in it; the empty string where nothing is heard. Any sample rate, any length."""
        import soxr

        samples = waveform.samples
        if not len(samples):
            return ""
        if waveform.rate != RATE:
            samples = soxr.resample(samples, waveform.rate, RATE)
        segments, _ = self._model.transcribe(
            samples,
            language="en",
            beam_size=5,
            temperature=0.0,
            condition_on_previous_text=False,
            # times are needed only to go on from the right place in what is longer than one window
            without_timestamps=waveform.seconds <= WINDOW,
            no_speech_threshold=None,
            log_prob_threshold=None,
            compression_ratio_threshold=None,
        )
        return " ".join(segment.text.strip() for segment in segments)
