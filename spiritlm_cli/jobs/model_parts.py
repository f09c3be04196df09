"""The parts of a model that is on this machine, and their files."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from spiritlm_cli.checkpoints import Checkpoint, find_checkpoint
from spiritlm_cli.checkpoints.lazy_tensors import weight_files
from spiritlm_cli.checkpoints.registry import installed_folder
from spiritlm_cli.errors import CheckpointError


@dataclass(frozen=True)
class LocatedModel:
    """A model on this machine. checkpoint: None for the Hugging Face folder of a language model."""

    name: str
    folder: Path
    checkpoint: Checkpoint | None

    @property
    def has_tokenizer(self) -> bool:
        """Whether it has HuBERT or a quantizer."""
        return self.hubert is not None or self.quantizer is not None

    @property
    def hubert(self) -> Path | None:
        """Weights of HuBERT."""
        return self._file(lambda checkpoint: checkpoint.hubert)

    @property
    def quantizer(self) -> Path | None:
        """Weights of the quantizer."""
        return self._file(lambda checkpoint: checkpoint.quantizer)

    @property
    def pitch(self) -> Path | None:
        """Weights of the pitch VQ-VAE."""
        return self._file(lambda checkpoint: checkpoint.pitch)

    @property
    def style(self) -> Path | None:
        """Weights of the style encoder."""
        return self._file(lambda checkpoint: checkpoint.style)

    def generator(self, expressive: bool) -> Path | None:
        """Weights of a vocoder."""
        return self._file(lambda checkpoint: checkpoint.generator(expressive))

    def language_models(self) -> dict[str, Path]:
        """The folders of the language models, by what reports call them."""
        if self.checkpoint is None:
            return {"language model": self.folder}
        folders = {}
        for expressive in (False, True):
            if folder := self._language_model(expressive):
                folders[part_name("language model", expressive)] = folder
        return folders

    def _language_model(self, expressive: bool) -> Path | None:
        return self._file(lambda checkpoint: checkpoint.language_model(expressive))

    def _file(self, find: Callable[[Checkpoint], Path]) -> Path | None:
        checkpoint = self.checkpoint
        return None if checkpoint is None else present(lambda: find(checkpoint))


def locate(model: str) -> LocatedModel:
    """Find a model by its name, its folder, or its Hugging Face repository.

    Raises CheckpointError if it is not on this machine and can't be downloaded as `find_checkpoint` does, or is neither
    a checkpoint nor the folder of a language model.
    """
    folder = Path(model).expanduser()
    if model == "nano" or not folder.is_dir():
        folder = installed_folder(model) or folder
    if model != "nano" and folder.is_dir() and _is_language_model(folder):
        return LocatedModel(folder.resolve().name, folder, None)
    checkpoint = find_checkpoint(str(folder) if model != "nano" and folder.is_dir() else model)
    return LocatedModel(checkpoint.name, checkpoint.root, checkpoint)


def part_name(part: str, expressive: bool) -> str:
    """What reports call a part of which there are two."""
    return f"{part}, {'expressive' if expressive else 'base'}"


def present(find: Callable[[], Path]) -> Path | None:
    """The path that `find` returns; None if it finds none."""
    try:
        return find()
    except CheckpointError:
        return None


def _is_language_model(folder: Path) -> bool:
    if (folder / "speech_tokenizer").is_dir() or (folder / "spiritlm_model").is_dir():
        return False
    return (folder / "config.json").is_file() and present(lambda: weight_files(folder)[0]) is not None
