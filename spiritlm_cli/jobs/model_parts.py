"""The parts of a model that is on this machine, and their files."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import methodcaller
from pathlib import Path

from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.checkpoints.open_layouts import LanguageModelFolder
from spiritlm_cli.errors import CheckpointError


@dataclass(frozen=True)
class ModelParts:
    """The parts of a checkpoint, each None if it is not there."""

    checkpoint: Checkpoint

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

    @property
    def has_pitch(self) -> bool:
        """Whether it has a pitch VQ-VAE, or its configuration alone."""
        return self.pitch is not None or self._file(lambda checkpoint: checkpoint.pitch_config) is not None

    def has_vocoder(self, expressive: bool) -> bool:
        """Whether it has a vocoder, or its configuration alone."""
        config = self._file(lambda checkpoint: checkpoint.vocoder_config(expressive))
        return self.generator(expressive) is not None or config is not None

    def generator(self, expressive: bool) -> Path | None:
        """Weights of a vocoder."""
        return self._file(lambda checkpoint: checkpoint.generator(expressive))

    def missing(self) -> list[str]:
        """What is missing of the parts of which something is there, with the names of the files."""
        finds: list[Callable[[Checkpoint], Path]] = []
        if self.has_tokenizer:
            finds += [lambda checkpoint: checkpoint.hubert, lambda checkpoint: checkpoint.quantizer]
        if self.has_pitch:
            finds += [lambda checkpoint: checkpoint.pitch, lambda checkpoint: checkpoint.pitch_config]
        for expressive in (False, True):
            if self.has_vocoder(expressive):
                finds += [
                    methodcaller("generator", expressive),
                    methodcaller("vocoder_config", expressive),
                ]
        messages = []
        for find in finds:
            try:
                find(self.checkpoint)
            except CheckpointError as error:
                messages.append(str(error))
        return messages

    def language_models(self) -> dict[str, Path]:
        """The folders of the language models, by what reports call them."""
        if isinstance(self.checkpoint, LanguageModelFolder):
            return {"language model": self.checkpoint.root}
        folders = {}
        for expressive in (False, True):
            if folder := self._language_model(expressive):
                folders[part_name("language model", expressive)] = folder
        return folders

    def _language_model(self, expressive: bool) -> Path | None:
        return self._file(lambda checkpoint: checkpoint.language_model(expressive))

    def _file(self, find: Callable[[Checkpoint], Path]) -> Path | None:
        try:
            return find(self.checkpoint)
        except CheckpointError:
            return None


def part_name(part: str, expressive: bool) -> str:
    """What reports call a part of which there are two."""
    return f"{part}, {'expressive' if expressive else 'base'}"
