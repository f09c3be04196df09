"""A checkpoint whose parts come from several others."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from spiritlm_cli.checkpoints.checkpoint import Checkpoint
from spiritlm_cli.errors import CheckpointError


@dataclass(frozen=True)
class MixedCheckpoint(Checkpoint):
    """A tokenizer, a language model and a vocoder, each of a checkpoint.

    Its root and its identity are those of the checkpoint that the other parts come from; its name and its fingerprint
    are the tokenizer's. A language model or a vocoder whose own checkpoint has another tokenizer is for other units:
    its files are not returned, and CheckpointError is raised.
    """

    tokenizer: Checkpoint
    lm: Checkpoint
    vocoder: Checkpoint

    @property
    def hubert(self) -> Path:
        """Weights of the HuBERT encoder."""
        return self.tokenizer.hubert

    @property
    def quantizer(self) -> Path:
        """Weights of the quantizer."""
        return self.tokenizer.quantizer

    @property
    def pitch(self) -> Path:
        """Weights of the pitch VQ-VAE."""
        return self.tokenizer.pitch

    @property
    def pitch_config(self) -> Path:
        """Configuration of the pitch VQ-VAE."""
        return self.tokenizer.pitch_config

    @property
    def style(self) -> Path:
        """Weights of the style encoder."""
        return self.tokenizer.style

    def vocoder_config(self, expressive: bool) -> Path:
        """Configuration of a vocoder."""
        self._check_units(self.vocoder, "vocoder")
        return self.vocoder.vocoder_config(expressive)

    def generator(self, expressive: bool) -> Path:
        """Weights of a vocoder."""
        self._check_units(self.vocoder, "vocoder")
        return self.vocoder.generator(expressive)

    def language_model(self, expressive: bool) -> Path:
        """Hugging Face folder of a language model."""
        folder = self.lm.language_model(expressive)
        self._check_units(self.lm, "language model")
        return folder

    @property
    def is_expressive(self) -> bool:
        """Whether all parts are."""
        return all(part.is_expressive for part in (self.tokenizer, self.lm, self.vocoder))

    def fingerprint(self) -> str:
        """Return that of the tokenizer."""
        return self.tokenizer.fingerprint()

    @property
    def tokenizer_files(self) -> tuple[Path, ...]:
        """Those of the tokenizer."""
        return self.tokenizer.tokenizer_files

    @property
    def description(self) -> str:
        """The name, and those of the language model and of the vocoder if they are of others."""
        others = (("language model", self.lm), ("vocoder", self.vocoder))
        parts = [f"the {what} of {part.name}" for what, part in others if part.name != self.name]
        return f"{self.name} with {' and '.join(parts)}" if parts else self.name

    def check(self) -> None:
        """Raise CheckpointError if the language model or the vocoder is for other units than the tokenizer's."""
        self._check_units(self.lm, "language model")
        self._check_units(self.vocoder, "vocoder")

    def _check_units(self, part: Checkpoint, what: str) -> None:
        if part == self.tokenizer:
            return
        theirs, ours = _fingerprint(part), _fingerprint(self.tokenizer)
        if theirs and ours and theirs != ours:
            raise CheckpointError(
                f"the {what} of {part.name} takes the units of {part.name} ({theirs}), not those of "
                f"{self.tokenizer.name} ({ours}); give {part.name} as --model, or as --tokenizer too"
            )


def _fingerprint(checkpoint: Checkpoint) -> str | None:
    """Return the fingerprint of a checkpoint; None if it has no tokenizer."""
    try:
        files = checkpoint.tokenizer_files
    except CheckpointError:
        return None
    stats = (file.stat() for file in files)
    return _hashed(checkpoint, tuple((stat.st_ino, stat.st_size, stat.st_mtime_ns) for stat in stats))


@lru_cache(maxsize=8)
def _hashed(checkpoint: Checkpoint, stats: tuple[tuple[int, int, int], ...]) -> str:
    """Return the fingerprint of a checkpoint. stats: of its files, as they were when it was computed."""
    return checkpoint.fingerprint()
