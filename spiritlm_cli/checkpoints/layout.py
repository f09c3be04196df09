"""Where each part of a checkpoint is: the release's folders, with `.safetensors` taken in place of its pickles."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from spiritlm_cli.checkpoints import hub
from spiritlm_cli.config import read_json
from spiritlm_cli.errors import CheckpointError

NANO = Path(__file__).parent.parent / "assets" / "nano"
# What `spiritlm models convert` leaves in a folder that it made.
RECORD = "converted.json"


@dataclass(frozen=True)
class Checkpoint:
    """A folder in the release's layout. Each property is the path of a part; CheckpointError where it isn't there."""

    root: Path
    name: str

    @property
    def _speech(self) -> Path:
        return self.root / "speech_tokenizer"

    @property
    def hubert(self) -> Path:
        return _file(self._speech / "hubert_25hz", "mhubert_base_25hz.pt")

    @property
    def quantizer(self) -> Path:
        """The units' quantizer; its name, `L11_quantizer_500`, says whose layer's features it takes."""
        folder = self._speech / "hubert_25hz"
        found = sorted({p.stem for p in folder.glob("L*_quantizer_*") if p.suffix in (".safetensors", ".pt")})
        if not found:
            raise CheckpointError(
                f"{folder}: missing L11_quantizer_500.pt (or .safetensors, or another layer's)"
            )
        if len(found) > 1:
            raise CheckpointError(f"{folder}: several quantizers: {', '.join(found)}; leave one there")
        return _file(folder, f"{found[0]}.pt")

    @property
    def pitch(self) -> Path:
        return _file(self._speech / "vqvae_f0_quantizer", "model.pt")

    @property
    def pitch_config(self) -> Path:
        return _file(self._speech / "vqvae_f0_quantizer", "config.yaml")

    @property
    def style(self) -> Path:
        """The style encoder's weights; `config.json` lies beside them."""
        return _file(self._speech / "style_encoder_w2v2", "pytorch_model.bin", "model.safetensors")

    def vocoder(self, expressive: bool) -> Path:
        """The folder of `generator.pt`, `config.json`, `speakers.txt`."""
        name = "hifigan_spiritlm_expressive_w2v2" if expressive else "hifigan_spiritlm_base"
        return self._folder(self._speech / name, "vocoder", expressive)

    def generator(self, expressive: bool) -> Path:
        """The weights in the vocoder's folder."""
        return _file(self.vocoder(expressive), "generator.pt")

    def language_model(self, expressive: bool) -> Path:
        """The Hugging Face folder of the language model."""
        name = "spirit-lm-expressive-7b" if expressive else "spirit-lm-base-7b"
        return self._folder(self.root / "spiritlm_model" / name, "language model", expressive)

    def fingerprint(self) -> str:
        """Return 12 hex digits that identify the speech tokenizer; equal digits mean equal units.

        They are the start of the SHA-256 over the bytes of `tokenizer_files`. For a checkpoint that `convert` wrote,
        they are those of the checkpoint it was converted from, as long as no tokenizer file has changed since.
        Raises CheckpointError if the HuBERT encoder or its quantizer is missing.
        """
        paths = self.tokenizer_files
        return self._recorded_fingerprint(paths) or file_hash(*paths)[:12]

    @property
    def tokenizer_files(self) -> tuple[Path, ...]:
        """The weights that determine the units.

        HuBERT, quantizer, pitch VQ-VAE and style encoder. A checkpoint that lacks the pitch VQ-VAE or the style encoder
        can only give phonetic units: then HuBERT and quantizer alone.
        Raises CheckpointError if HuBERT or the quantizer is missing.
        """
        phonetic = self.hubert, self.quantizer
        try:
            return *phonetic, self.pitch, self.style
        except CheckpointError:
            return phonetic

    def _recorded_fingerprint(self, paths: tuple[Path, ...]) -> str | None:
        """The fingerprint before conversion, as long as all four files are to the last byte those that it gave."""
        record = self.root / RECORD
        tokenizer = read_json(record).get("tokenizer") if record.is_file() else None
        if not isinstance(tokenizer, dict) or not isinstance(tokenizer.get("fingerprint"), str):
            return None
        hashes = {path.relative_to(self.root).as_posix(): file_hash(path) for path in paths}
        return tokenizer["fingerprint"] if tokenizer.get("sha256") == hashes else None

    def _folder(self, folder: Path, what: str, expressive: bool) -> Path:
        if not folder.is_dir():
            units = "expressive" if expressive else "base"
            raise CheckpointError(f"{folder}: missing; {self.name} has no {what} for {units} units")
        return folder


def file_hash(*paths: Path) -> str:
    """The SHA-256 of what is in files, one after another, in hex digits."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def find_checkpoint(model: str | None = None) -> Checkpoint:
    """The checkpoint called `model`: "nano", a folder in the release's layout, or a Hugging Face repository.

    None: the folder in $SPIRITLM_CHECKPOINTS_DIR where it is set, else nano. Raises CheckpointError.
    """
    model = model or os.environ.get("SPIRITLM_CHECKPOINTS_DIR") or "nano"
    if model == "nano":
        if not NANO.is_dir():
            raise CheckpointError(
                f"{NANO}: missing; this installation is without its weights: install spiritlm again"
            )
        return Checkpoint(NANO, "nano")
    root = Path(model).expanduser()
    if not root.is_dir():
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", model) or root.parent.is_dir():
            raise CheckpointError(
                f"{model}: no such folder; --model takes nano, a folder or a Hugging Face repository"
            )
        return _checked(hub.pull(model), Path(model).name)
    return _checked(root, root.resolve().name)


def _checked(root: Path, name: str) -> Checkpoint:
    if not (root / "speech_tokenizer").is_dir() and not (root / "spiritlm_model").is_dir():
        raise CheckpointError(
            f"{root}: holds neither speech_tokenizer/ nor spiritlm_model/: not a checkpoint folder"
        )
    return Checkpoint(root, name)


def _file(folder: Path, *names: str) -> Path:
    """The first of `names` in a folder; of each, rather the file with the suffix `.safetensors`."""
    for name in names:
        for path in ((folder / name).with_suffix(".safetensors"), folder / name):
            if path.is_file():
                return path
    raise CheckpointError(
        f"{folder / names[0]}: missing (or {Path(names[-1]).with_suffix('.safetensors').name})"
    )
