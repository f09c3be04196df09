"""Speech recognition for scoring: English Whisper models, run by faster-whisper."""

from functools import cached_property
from pathlib import Path
from typing import Any

from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.evaluation.judges.folders import describe
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.third_party import needs_extra

RATE = 16_000  # sample rate of Whisper's input
WINDOW = 30.0  # seconds of Whisper's input


class Recognizer:
    """Transcribes English speech deterministically.

    Decodes with a beam of 5 at temperature 0. Whisper's fallback to sampling at higher temperatures and its rules that
    drop uncertain segments are disabled, so every window is transcribed once. Windows don't depend on the text of the
    window before.

    name: as it was given.
    """

    def __init__(self, model: Any, name: str, folder: Path) -> None:
        """model: of faster-whisper. folder: of its files."""
        self._model, self.name, self._folder = model, name, folder

    @classmethod
    def load(cls, model: str | Path = "base.en", device: str = "auto") -> "Recognizer":
        """Load a model by its faster-whisper name ("tiny.en", "large-v3"), Hugging Face repository or folder.

        A name or repository may be followed by "@" and a revision: a commit, a tag or a branch.

        Weights are 8-bit integers on a CPU, float16 on a GPU. device: auto, cpu, cuda or cuda:N; for others, such as
        mps, which CTranslate2 doesn't support, the CPU is used.

        Raises MissingPackageError without faster-whisper, and CheckpointError if the folder holds no such model or the
        name can't be downloaded.
        """
        with needs_extra("faster-whisper", extra="evaluate", purpose="speech recognition"):
            import ctranslate2
            import faster_whisper
        folder = Path(model)
        if folder.is_dir() and not (folder / "model.bin").is_file():
            raise CheckpointError(
                f"{folder}: no model.bin; expected a Whisper model as faster-whisper reads it"
            )
        kind, _, index = device.partition(":")
        if kind == "auto":
            kind = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
        on_gpu = kind == "cuda"
        try:
            if not folder.is_dir():
                name, _, revision = str(model).partition("@")
                folder = Path(faster_whisper.download_model(name, revision=revision or None))
            loaded = faster_whisper.WhisperModel(
                str(folder),
                device="cuda" if on_gpu else "cpu",
                device_index=int(index or 0) if on_gpu else 0,
                compute_type="float16" if on_gpu else "int8",
            )
        # The type depends on the source: ValueError for a name, RuntimeError for a file, OSError and others for the
        # network.
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise CheckpointError(
                f"recognizer {model}: {reason}; give the name of a faster-whisper model, or a folder with one"
            ) from error
        return cls(loaded, str(model), folder)

    @cached_property
    def description(self) -> str:
        """The name, and a hash of the model's files."""
        names = ("config.json", "model.bin", "tokenizer.json", "vocabulary.json", "vocabulary.txt")
        return describe(self.name, *(path for name in names if (path := self._folder / name).is_file()))

    def transcribe(self, waveform: Waveform) -> str:
        """Return the transcript of a waveform of any sample rate and length; empty if there is no speech."""
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
            # Timestamps are needed only to find where the next window starts.
            without_timestamps=waveform.seconds <= WINDOW,
            no_speech_threshold=None,
            log_prob_threshold=None,
            compression_ratio_threshold=None,
        )
        return " ".join(segment.text.strip() for segment in segments)
