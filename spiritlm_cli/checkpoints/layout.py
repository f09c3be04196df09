"""The files of a checkpoint: the release's folder layout, in which a `.safetensors` file can replace each pickle."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from spiritlm_cli.checkpoints import hub
from spiritlm_cli.checkpoints.registry import installed_folder, known_models
from spiritlm_cli.config import read_json
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.files import check_regular

UnitSet = Literal["base", "expressive"]

NANO = Path(__file__).parent.parent / "assets" / "nano"
# The file that `convert` leaves in a folder that it wrote.
CONVERSION_RECORD = "converted.json"


@dataclass(frozen=True)
class Checkpoint:
    """A folder in the release's layout. name: what headers and messages call it.

    Its properties and methods return the paths of parts, and raise CheckpointError if a part is missing.
    """

    root: Path
    name: str

    @property
    def _speech(self) -> Path:
        return self.root / "speech_tokenizer"

    @property
    def hubert(self) -> Path:
        """Weights of the HuBERT encoder."""
        return _file(self._speech / "hubert_25hz", "mhubert_base_25hz.pt")

    @property
    def quantizer(self) -> Path:
        """Weights of the quantizer; the name, such as `L11_quantizer_500.pt`, has the HuBERT layer it is for."""
        folder = self._speech / "hubert_25hz"
        names = sorted({p.stem for p in folder.glob("L*_quantizer_*") if p.suffix in (".safetensors", ".pt")})
        if not names:
            raise CheckpointError(
                f"{folder}: missing L11_quantizer_500.pt (or .safetensors, or another layer's)"
            )
        if len(names) > 1:
            raise CheckpointError(f"{folder}: several quantizers: {', '.join(names)}; leave one there")
        return _file(folder, f"{names[0]}.pt")

    @property
    def pitch(self) -> Path:
        """Weights of the pitch VQ-VAE."""
        return _file(self._speech / "vqvae_f0_quantizer", "model.pt")

    @property
    def pitch_config(self) -> Path:
        """Configuration of the pitch VQ-VAE."""
        return _file(self._speech / "vqvae_f0_quantizer", "config.yaml")

    @property
    def style(self) -> Path:
        """Weights of the style encoder; `config.json` is beside them."""
        return _file(self._speech / "style_encoder_w2v2", "pytorch_model.bin", "model.safetensors")

    def vocoder_config(self, expressive: bool) -> Path:
        """Configuration of a vocoder; `speakers.txt` and `styles.txt` are beside it."""
        return self._vocoder(expressive) / "config.json"

    def generator(self, expressive: bool) -> Path:
        """Weights of a vocoder."""
        return _file(self._vocoder(expressive), "generator.pt")

    def _vocoder(self, expressive: bool) -> Path:
        name = "hifigan_spiritlm_expressive_w2v2" if expressive else "hifigan_spiritlm_base"
        return self._folder(self._speech / name, "vocoder", expressive)

    def language_model(self, expressive: bool) -> Path:
        """Hugging Face folder of a language model."""
        name = "spirit-lm-expressive-7b" if expressive else "spirit-lm-base-7b"
        return self._folder(self.root / "spiritlm_model" / name, "language model", expressive)

    @property
    def default_units(self) -> UnitSet:
        """The unit streams to use if none are named."""
        return "expressive"

    @property
    def identity(self) -> str:
        """What a run's journal knows the checkpoint by: "nano", or the folder's absolute path."""
        return "nano" if self.root == NANO else str(self.root.resolve())

    def fingerprint(self) -> str:
        """Return 12 hex digits that identify the speech tokenizer; equal digits mean equal units.

        They are the first digits of the SHA-256 of `tokenizer_files`, one file after another. For a checkpoint that
        `convert` wrote they are those of the checkpoint it was converted from, as long as its tokenizer files have not
        changed since.
        Raises CheckpointError if the HuBERT encoder or the quantizer is missing.
        """
        paths = self.tokenizer_files
        return self._recorded_fingerprint(paths) or file_hash(*paths)[:12]

    @property
    def tokenizer_files(self) -> tuple[Path, ...]:
        """The weights that determine units: HuBERT, quantizer, pitch VQ-VAE and style encoder.

        A checkpoint without the pitch VQ-VAE or the style encoder has phonetic units only, which are determined by
        HuBERT and the quantizer.
        Raises CheckpointError if HuBERT or the quantizer is missing.
        """
        phonetic = self.hubert, self.quantizer
        try:
            return *phonetic, self.pitch, self.style
        except CheckpointError:
            return phonetic

    def _recorded_fingerprint(self, paths: tuple[Path, ...]) -> str | None:
        """Return the fingerprint before conversion, if all tokenizer files are still as `convert` wrote them."""
        record = self.root / CONVERSION_RECORD
        tokenizer = read_json(record).get("tokenizer") if record.is_file() else None
        if not isinstance(tokenizer, dict) or not isinstance(tokenizer.get("fingerprint"), str):
            return None
        hashes = {path.relative_to(self.root).as_posix(): file_hash(path) for path in paths}
        return tokenizer["fingerprint"] if tokenizer.get("sha256") == hashes else None

    def _folder(self, folder: Path, part: str, expressive: bool) -> Path:
        if not folder.is_dir():
            units = "expressive" if expressive else "base"
            raise CheckpointError(f"{folder}: missing; {self.name} has no {part} for {units} units")
        return folder


def file_hash(*paths: Path) -> str:
    """Return the SHA-256 of the content of files, one after another, in hex digits.

    Raises CheckpointError for anything but regular files.
    """
    digest = hashlib.sha256()
    for path in paths:
        check_regular(path, CheckpointError)
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


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
        return _file(self.root / self.HUBERT, "model.safetensors", "pytorch_model.bin")

    @property
    def quantizer(self) -> Path:
        """The k-means, as scikit-learn and joblib wrote it."""
        return _file(self.root, self.QUANTIZER)

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
        return _file(self.root, self.VOCODER_CONFIG)

    def generator(self, expressive: bool) -> Path:
        """Weights of the vocoder."""
        if expressive:
            raise self._lacks("vocoder for pitch and style units")
        return _file(self.root, self.GENERATOR)

    def language_model(self, expressive: bool) -> Path:
        """Raises CheckpointError."""
        raise CheckpointError(
            f"{self.root}: {self.name} has a tokenizer and a vocoder, and no language model"
        )

    @property
    def default_units(self) -> UnitSet:
        """The unit streams that there are."""
        return "base"

    def _lacks(self, what: str) -> CheckpointError:
        return CheckpointError(
            f"{self.root}: {self.name} has no {what}; its units are phonetic: --units base"
        )


def find_checkpoint(model: str | Checkpoint | None = None) -> Checkpoint:
    """Find the checkpoint called `model`.

    model: "nano", a folder in the release's layout or with TWIST's files, the name of a model that `models pull` has
    downloaded, or a Hugging Face repository. A repository is downloaded; after an `@` it may have a revision: a commit,
    a tag or a branch. None: the folder in $SPIRITLM_CHECKPOINTS_DIR if that is set, otherwise nano. A `Checkpoint` is
    returned as it is.
    Raises CheckpointError if there is no such checkpoint.
    """
    if isinstance(model, Checkpoint):
        return model
    model = model or os.environ.get("SPIRITLM_CHECKPOINTS_DIR") or "nano"
    if model == "nano":
        if not NANO.is_dir():
            raise CheckpointError(
                f"{NANO}: missing; this installation is without its weights: install spiritlm again"
            )
        return Checkpoint(NANO, "nano")
    root = Path(model).expanduser()
    if root.is_dir():
        return _checked(root, root.resolve().name)
    if folder := installed_folder(model):
        return _checked(folder, model)
    if known := known_models().get(model):
        remedy = f"spiritlm models pull {model} downloads it" if known.can_pull else known.how_to_get
        raise CheckpointError(f"{model}: not on this machine; {remedy}")
    match = re.fullmatch(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?", model)
    if not match or root.parent.is_dir():
        raise CheckpointError(
            f"{model}: no such folder; --model takes nano, the name of a model, a folder or a Hugging Face repository"
        )
    return _checked(hub.pull(match[1], match[2]), Path(match[1]).name)


def _checked(root: Path, name: str) -> Checkpoint:
    if TwistCheckpoint.is_at(root):
        return TwistCheckpoint(root, name)
    if not (root / "speech_tokenizer").is_dir() and not (root / "spiritlm_model").is_dir():
        raise CheckpointError(
            f"{root}: holds neither speech_tokenizer/ nor spiritlm_model/: not a checkpoint folder"
        )
    return Checkpoint(root, name)


def _file(folder: Path, *names: str) -> Path:
    """Return the first of `names` that is in the folder; for each, the `.safetensors` file of that name comes first."""
    for name in names:
        for path in ((folder / name).with_suffix(".safetensors"), folder / name):
            if path.exists():
                return path
    raise CheckpointError(
        f"{folder / names[0]}: missing (or {Path(names[-1]).with_suffix('.safetensors').name})"
    )
