"""Speech recognition for scoring: English Whisper models, run by faster-whisper."""

from pathlib import Path
from typing import Any

from spiritlm_cli.errors import CheckpointError
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

    def __init__(self, model: Any, name: str) -> None:
        """model: of faster-whisper."""
        self._model, self.name = model, name

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
        folder = find_model(model)
        kind, _, index = device.partition(":")
        if kind == "auto":
            kind = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
        on_gpu = kind == "cuda"
        try:
            loaded = faster_whisper.WhisperModel(
                str(folder),
                device="cuda" if on_gpu else "cpu",
                device_index=int(index or 0) if on_gpu else 0,
                compute_type="float16" if on_gpu else "int8",
            )
        except Exception as error:  # the type depends on the file: RuntimeError and others
            raise _load_error(model, error) from error
        return cls(loaded, str(model))

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


def find_model(model: str | Path) -> Path:
    """Return the folder of a faster-whisper model, which is downloaded if `model` is no folder; see `Recognizer.load`.

    Raises MissingPackageError without faster-whisper, and CheckpointError if there is no such model.
    """
    with needs_extra("faster-whisper", extra="evaluate", purpose="speech recognition"):
        import faster_whisper
    folder = Path(model)
    if folder.is_dir():
        if not (folder / "model.bin").is_file():
            raise CheckpointError(
                f"{folder}: no model.bin; expected a Whisper model as faster-whisper reads it"
            )
        return folder
    name, _, revision = str(model).partition("@")
    try:
        return Path(faster_whisper.download_model(name, revision=revision or None))
    except Exception as error:
        if type(error) is ValueError:  # no name of a model
            raise _load_error(model, error) from error
        reason = _reason(error).removeprefix("Got: ")
        raise CheckpointError(
            f"recognizer {model}: can't be downloaded ({reason}); check the network, or give a folder with a "
            "faster-whisper model"
        ) from error


def model_files(folder: Path) -> tuple[Path, ...]:
    """The files of a faster-whisper model that decide its transcripts."""
    names = ("config.json", "model.bin", "tokenizer.json", "vocabulary.json", "vocabulary.txt")
    return tuple(path for name in names if (path := folder / name).is_file())


def _load_error(model: str | Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"recognizer {model}: {_reason(error)}; give the name of a faster-whisper model, or a folder with one"
    )


def _reason(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
