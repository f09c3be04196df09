"""Folders of open models in their published forms: TWIST's tokenizer and vocoder, and a language model alone."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NoReturn

from spiritlm_cli.checkpoints.checkpoint import HUGGING_FACE_WEIGHTS, Checkpoint, config_file, part_file
from spiritlm_cli.config import read_json
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.files import read_limited

# Where the tokens of a vocabulary are written.
_VOCABULARIES = ("tokenizer.model", "tokenizer.json", "added_tokens.json")
# A `tokenizer.json` of 262,000 pieces and all merges has 33 MB.
MAX_VOCABULARY_BYTES = 200_000_000
# The brackets are those of the names of units in `TokenizersVocabulary`.
_FIRST_PITCH_UNIT = re.compile(rb"[\[<|]Pi0[\]>|]")


@dataclass(frozen=True)
class TwistCheckpoint(Checkpoint):
    """A folder with TWIST's tokenizer and vocoder (Hassid et al. 2023, arXiv 2305.13009) under their published names.

    It has phonetic units only, and one voice.
    """

    HUBERT: ClassVar = "mhubert-base-25hz"
    QUANTIZER: ClassVar = "mhubert_base_25hz_cp_mls_cv_sp_fisher_L11_km500.bin"
    GENERATOR: ClassVar = "hifigan_lj_mhubert_base_25hz.pt"
    VOCODER_CONFIG: ClassVar = "hifigan_lj_mhubert_base_25hz_config.json"

    @classmethod
    def is_at(cls, root: Path) -> bool:
        """Whether a folder has one of the parts."""
        names = (cls.HUBERT, cls.QUANTIZER, cls.GENERATOR)
        paths = [root / name for name in names] + [
            (root / name).with_suffix(".safetensors") for name in names
        ]
        return any(path.exists() for path in paths)

    @property
    def hubert(self) -> Path:
        """Weights of the HuBERT encoder; `config.json` is beside them."""
        return part_file(self.root / self.HUBERT, *HUGGING_FACE_WEIGHTS)

    @property
    def quantizer(self) -> Path:
        """The k-means, as scikit-learn and joblib wrote it."""
        return part_file(self.root, self.QUANTIZER)

    @property
    def pitch(self) -> Path:
        """Raises CheckpointError."""
        raise self._lacks("pitch units")

    @property
    def pitch_config(self) -> Path:
        """Raises CheckpointError."""
        raise self._lacks("pitch units")

    @property
    def style(self) -> Path:
        """Raises CheckpointError."""
        raise self._lacks("style units")

    def vocoder_config(self, expressive: bool) -> Path:
        """Configuration of the vocoder."""
        if expressive:
            raise self._lacks("vocoder for pitch and style units")
        return config_file(self.root / self.VOCODER_CONFIG)

    def generator(self, expressive: bool) -> Path:
        """Weights of the vocoder."""
        if expressive:
            raise self._lacks("vocoder for pitch and style units")
        return part_file(self.root, self.GENERATOR)

    def language_model(self, expressive: bool) -> Path:
        """Raises CheckpointError."""
        raise CheckpointError(
            f"{self.root}: {self.name} has a tokenizer and a vocoder, and no language model"
        )

    @property
    def is_expressive(self) -> bool:
        """False."""
        return False

    def _lacks(self, what: str) -> CheckpointError:
        return CheckpointError(
            f"{self.root}: {self.name} has no {what}; its units are phonetic: --units base"
        )


def is_hubert(folder: Path) -> bool:
    """Whether a Hugging Face folder is that of a HuBERT; False for a `config.json` that can't be read."""
    path = folder / "config.json"
    try:
        return path.is_file() and read_json(path).get("model_type") == "hubert"
    except CheckpointError:
        return False


@dataclass(frozen=True)
class LanguageModelFolder(Checkpoint):
    """The Hugging Face folder of a language model, without a tokenizer of speech and a vocoder."""

    @classmethod
    def is_at(cls, root: Path) -> bool:
        """Whether a folder is one."""
        return (root / "config.json").exists() and not is_hubert(root)

    @property
    def hubert(self) -> Path:
        """Raises CheckpointError."""
        self._lack("speech tokenizer", "--tokenizer")

    @property
    def quantizer(self) -> Path:
        """Raises CheckpointError."""
        self._lack("speech tokenizer", "--tokenizer")

    @property
    def pitch(self) -> Path:
        """Raises CheckpointError."""
        self._lack("speech tokenizer", "--tokenizer")

    @property
    def pitch_config(self) -> Path:
        """Raises CheckpointError."""
        self._lack("speech tokenizer", "--tokenizer")

    @property
    def style(self) -> Path:
        """Raises CheckpointError."""
        self._lack("speech tokenizer", "--tokenizer")

    def vocoder_config(self, expressive: bool) -> Path:
        """Raises CheckpointError."""
        self._lack("vocoder", "--vocoder")

    def generator(self, expressive: bool) -> Path:
        """Raises CheckpointError."""
        self._lack("vocoder", "--vocoder")

    def language_model(self, expressive: bool) -> Path:
        """The folder."""
        return self.root

    @property
    def is_expressive(self) -> bool:
        """Whether the vocabulary has pitch units: the token `[Pi0]`, `<Pi0>` or `<|Pi0|>`."""
        files = [self.root / name for name in _VOCABULARIES if (self.root / name).is_file()]
        contents = (read_limited(file, MAX_VOCABULARY_BYTES, CheckpointError) for file in files)
        return any(_FIRST_PITCH_UNIT.search(content) for content in contents)

    def _lack(self, what: str, flag: str) -> NoReturn:
        raise CheckpointError(
            f"{self.root}: is a language model, and has no {what}; {flag} names the model to take it from"
        )
