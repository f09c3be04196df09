"""Check the files of a model: every tensor against the configuration, and the checksums that are known."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from spiritlm_cli.checkpoints import Checkpoint, find_checkpoint
from spiritlm_cli.checkpoints.download import check_file
from spiritlm_cli.checkpoints.layout import known_model
from spiritlm_cli.checkpoints.lazy_tensors import iter_tensors, list_tensors, weight_files
from spiritlm_cli.checkpoints.pull import PULL_RECORD, read_record
from spiritlm_cli.checkpoints.registry import KnownModel, known_models
from spiritlm_cli.checkpoints.slamkit import is_slamkit, lacks_text_tokenizer, read_values
from spiritlm_cli.checkpoints.tensors import check_values
from spiritlm_cli.errors import CheckpointError, SpiritLMError
from spiritlm_cli.jobs.model_parts import ModelParts, part_name
from spiritlm_cli.jobs.options.models import VerifyOptions
from spiritlm_cli.language.loading import is_packed, load_weights
from spiritlm_cli.language.network import load_network
from spiritlm_cli.language.vocabulary_loading import load_vocabulary
from spiritlm_cli.speech.pitch import PitchVqVae
from spiritlm_cli.speech.style import StyleEncoder
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.vocoder.vocoder import Vocoder

_CPU = torch.device("cpu")
_VOCABULARIES = ("tokenizer.model", "tokenizer.json")


@dataclass(frozen=True)
class PartCheck:
    """The result for one part.

    fault: what is wrong with it; None if it is as it should be. note: what else there is to know of it.
    """

    part: str
    fault: str | None
    note: str | None = None

    def __str__(self) -> str:
        result = f"{self.part}: {self.fault or 'ok'}"
        return f"{result}; {self.note}" if self.note else result


def verify(options: VerifyOptions) -> Iterator[PartCheck]:
    """Check a model, part by part; each is loaded as for its use, on the CPU, and dropped again.

    A language model that `PackedLlama` computes is not in memory as a whole: names and shapes are checked first, then
    the values of each tensor.
    Raises CheckpointError if there is no such model, or its folder has no part of one.
    """
    checkpoint = find_checkpoint(options.model)
    model = ModelParts(checkpoint)
    checks = [*_checksums(checkpoint), *_speech_checks(model)]
    for name, folder in model.language_models().items():
        checks.append((name, partial(_check_language_model, folder)))
    if not checks:
        raise CheckpointError(f"{checkpoint.root}: holds no weights of a model; copy or download it again")
    for part, check in checks:
        try:
            note = check()
        except (SpiritLMError, OSError) as error:
            yield PartCheck(part, str(error))
        else:
            yield PartCheck(part, None, note)


# A part and its check, which returns what else there is to know of it.
_Check = tuple[str, Callable[[], str | None]]


def _checksums(checkpoint: Checkpoint) -> Iterator[_Check]:
    """The check of the files that were downloaded, or whose checksum the registry has."""
    known = known_model(checkpoint)
    if (checkpoint.root / PULL_RECORD).is_file() or (known and known.files):
        yield "checksums", partial(_check_checksums, checkpoint.root, known)


def _check_checksums(folder: Path, known: KnownModel | None) -> str | None:
    """Check files against the record of their download, or else against the registry.

    known: the model's entry in the registry. Returns which files have no published checksum, and how to download them
    again, if there are any.
    """
    record = read_record(folder)
    known = known_models().get(record.model, known) if record else known
    published = known.files if known else {}
    faults = []
    for path, file in (record.files if record else published).items():
        try:
            check_file(folder / path, file)
        except CheckpointError as error:
            faults.append(str(error))
    again = f"run `spiritlm models pull {record.model}` to download it again" if record else ""
    if faults:
        raise CheckpointError(
            "; ".join([*faults, *([f"delete what is damaged, and {again}"] if again else [])])
        )
    unknown = [path for path, file in published.items() if not (file.sha256 or file.git_id)]
    if not unknown:
        return None
    remedy = f" (if it does not work, delete it, and {again})" if again else ""
    return f"no checksum is published of {', '.join(unknown)}{remedy}"


def _speech_checks(model: ModelParts) -> Iterator[_Check]:
    checkpoint = model.checkpoint
    if model.has_tokenizer:
        yield "tokenizer", partial(_check_tokenizer, model)
    if model.has_pitch:
        yield "pitch VQ-VAE", partial(_check_pitch, checkpoint)
    if model.style:
        yield "style encoder", partial(_check_style, checkpoint)
    for expressive in (False, True):
        if model.has_vocoder(expressive):
            yield part_name("vocoder", expressive), partial(_check_vocoder, checkpoint, expressive)


def _check_tokenizer(model: ModelParts) -> None:
    SpeechTokenizer.load(model.checkpoint, expressive=False, device="cpu")
    # The layers after the one that is used are not loaded.
    _check_values([model.hubert] if model.hubert else [])


def _check_pitch(checkpoint: Checkpoint) -> None:
    PitchVqVae.load(checkpoint.pitch, checkpoint.pitch_config)


def _check_style(checkpoint: Checkpoint) -> None:
    StyleEncoder.load(checkpoint.style)


def _check_vocoder(checkpoint: Checkpoint, expressive: bool) -> None:
    Vocoder.load(checkpoint, expressive, device="cpu")
    _check_values([checkpoint.generator(expressive)])


def _check_language_model(folder: Path) -> str | None:
    """Check a language model. Returns what its folder lacks to be used, if anything."""
    if is_packed(read_values(folder / "config.json")):
        rows = load_weights(folder, torch.device("meta"), torch.float32).config.vocab_size
    else:  # transformers loads it as a whole
        rows = load_network(folder, [_CPU], torch.bfloat16).vocab_size
    _check_values(weight_files(folder)[1])
    if lacks_text_tokenizer(folder):
        return "to use it, name its text tokenizer with --text-tokenizer; it has none in its folder"
    if not is_slamkit(folder) and not any((folder / name).is_file() for name in _VOCABULARIES):
        return f"to use it, it needs a vocabulary, {' or '.join(_VOCABULARIES)}; it has none in its folder"
    size = load_vocabulary(folder).size
    if size > rows:
        raise CheckpointError(f"{folder}: the vocabulary has {size} tokens, the network {rows}")
    return None


def _check_values(files: Iterable[Path]) -> None:
    """Raise CheckpointError for a tensor with values that are infinite or not a number."""
    for file in files:
        tensors = list_tensors(file)
        values = iter_tensors((tensor, _CPU, None) for tensor in tensors.values())
        for name, value in zip(tensors, values, strict=True):
            check_values(file, name, value)
