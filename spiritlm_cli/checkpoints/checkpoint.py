"""The files of a checkpoint in the release's layout, in which a `.safetensors` file can replace each pickle."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from spiritlm_cli.config import read_json
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.files import check_regular

NANO = Path(__file__).parent.parent / "assets" / "nano"
# The file that `convert` leaves in a folder that it wrote.
CONVERSION_RECORD = "converted.json"
# The weights in a Hugging Face folder; of two files, the first is read.
HUGGING_FACE_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


@dataclass(frozen=True)
class Checkpoint:
    """A folder in the release's layout.

    name: what headers and messages call it. text_tokenizer: folder with the text tokenizer of a language model that
    has none of its own.

    Its properties and methods return the paths of parts, and raise CheckpointError if a part is missing.
    """

    root: Path
    name: str
    text_tokenizer: Path | None = field(default=None, kw_only=True)

    @property
    def _speech(self) -> Path:
        return self.root / "speech_tokenizer"

    @property
    def hubert(self) -> Path:
        """Weights of the HuBERT encoder."""
        return part_file(self._speech / "hubert_25hz", "mhubert_base_25hz.pt")

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
        return part_file(folder, f"{names[0]}.pt")

    @property
    def pitch(self) -> Path:
        """Weights of the pitch VQ-VAE."""
        return part_file(self._speech / "vqvae_f0_quantizer", "model.pt")

    @property
    def pitch_config(self) -> Path:
        """Configuration of the pitch VQ-VAE."""
        return config_file(self._speech / "vqvae_f0_quantizer" / "config.yaml")

    @property
    def style(self) -> Path:
        """Weights of the style encoder; `config.json` is beside them."""
        return part_file(self._speech / "style_encoder_w2v2", *HUGGING_FACE_WEIGHTS)

    def vocoder_config(self, expressive: bool) -> Path:
        """Configuration of a vocoder; `speakers.txt` and `styles.txt` are beside it."""
        return self._vocoder(expressive) / "config.json"

    def generator(self, expressive: bool) -> Path:
        """Weights of a vocoder."""
        return part_file(self._vocoder(expressive), "generator.pt")

    def _vocoder(self, expressive: bool) -> Path:
        name = "hifigan_spiritlm_expressive_w2v2" if expressive else "hifigan_spiritlm_base"
        return self._folder(self._speech / name, "vocoder", expressive)

    def language_model(self, expressive: bool) -> Path:
        """Hugging Face folder of a language model."""
        name = "spirit-lm-expressive-7b" if expressive else "spirit-lm-base-7b"
        return self._folder(self.root / "spiritlm_model" / name, "language model", expressive)

    @property
    def is_expressive(self) -> bool:
        """Whether pitch and style units are to be used if nothing else is said: unless it can't have them."""
        return True

    @property
    def description(self) -> str:
        """The name, as reports give it."""
        return self.name

    def check(self) -> None:
        """Raise CheckpointError if its parts are for different units; those of one folder are taken to fit."""

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


def config_file(path: Path) -> Path:
    """Return the path of a configuration. Raises CheckpointError if it is not there."""
    if not path.exists():
        raise CheckpointError(f"{path}: missing")
    return path


def part_file(folder: Path, *names: str) -> Path:
    """Return the first of `names` that is in the folder; for each, the `.safetensors` file of that name comes first."""
    for name in names:
        for path in ((folder / name).with_suffix(".safetensors"), folder / name):
            if path.exists():
                return path
    other = names[1] if len(names) > 1 else Path(names[0]).with_suffix(".safetensors").name
    raise CheckpointError(f"{folder / names[0]}: missing (or {other})")
