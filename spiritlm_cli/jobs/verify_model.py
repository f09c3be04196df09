"""Check the files of a model: every tensor against the configuration, and the checksums that are known."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from spiritlm_cli.checkpoints import Checkpoint, find_checkpoint
from spiritlm_cli.checkpoints.download import check_file
from spiritlm_cli.checkpoints.lazy_tensors import iter_tensors, list_tensors, weight_files
from spiritlm_cli.checkpoints.pull import pulled_files
from spiritlm_cli.checkpoints.registry import known_models
from spiritlm_cli.checkpoints.slamkit import read_values
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


@dataclass(frozen=True)
class PartCheck:
    """The result for one part. fault: what is wrong with it; None if it is as it should be."""

    part: str
    fault: str | None

    def __str__(self) -> str:
        return f"{self.part}: {self.fault or 'ok'}"


def verify(options: VerifyOptions) -> Iterator[PartCheck]:
    """Check a model, part by part; each is loaded as for its use, on the CPU, and dropped again.

    A language model that `PackedLlama` computes is not in memory as a whole: names and shapes are checked first, then
    the values of each tensor.
    Raises CheckpointError if there is no such model, or its folder has no part of one.
    """
    checkpoint = find_checkpoint(options.model)
    model = ModelParts(checkpoint)
    checks = [*_checksums(options.model, checkpoint.root), *_speech_checks(model)]
    for name, folder in model.language_models().items():
        checks.append((name, partial(_check_language_model, folder)))
    if not checks:
        raise CheckpointError(f"{checkpoint.root}: holds no weights of a model; copy or download it again")
    for part, check in checks:
        try:
            check()
        except (SpiritLMError, OSError) as error:
            yield PartCheck(part, str(error))
        else:
            yield PartCheck(part, None)


_Check = tuple[str, Callable[[], object]]


def _checksums(name: str, folder: Path) -> Iterator[_Check]:
    """The check of the files that were downloaded, or whose checksum the registry has."""

    def check() -> None:
        for path, file in files.items():
            check_file(folder / path, file)

    known = known_models().get(name)
    files = pulled_files(folder) or dict(known.files if known else {})
    if files:
        yield "checksums", check


def _speech_checks(model: ModelParts) -> Iterator[_Check]:
    checkpoint = model.checkpoint
    if model.has_tokenizer:
        yield "tokenizer", partial(_check_tokenizer, model)
    if model.has_pitch:
        yield "pitch VQ-VAE", lambda: PitchVqVae.load(checkpoint.pitch, checkpoint.pitch_config)
    if style := model.style:
        yield "style encoder", lambda: StyleEncoder.load(style)
    for expressive in (False, True):
        if model.has_vocoder(expressive):
            yield part_name("vocoder", expressive), partial(_check_vocoder, checkpoint, expressive)


def _check_tokenizer(model: ModelParts) -> None:
    SpeechTokenizer.load(model.checkpoint, expressive=False, device="cpu")
    # The layers after the one that is used are not loaded.
    _check_values([model.hubert] if model.hubert else [])


def _check_vocoder(checkpoint: Checkpoint, expressive: bool) -> None:
    Vocoder.load(checkpoint, expressive, device="cpu")
    _check_values([checkpoint.generator(expressive)])


def _check_language_model(folder: Path) -> None:
    if is_packed(read_values(folder / "config.json")):
        rows = load_weights(folder, torch.device("meta"), torch.float32).config.vocab_size
    else:  # transformers loads it as a whole
        rows = load_network(folder, [_CPU], torch.bfloat16).vocab_size
    _check_values(weight_files(folder)[1])
    # slamkit's models of speech and text have their text tokenizer elsewhere.
    if any((folder / name).is_file() for name in ("tokenizer.model", "tokenizer.json")):
        size = load_vocabulary(folder).size
        if size > rows:
            raise CheckpointError(f"{folder}: the vocabulary has {size} tokens, the network {rows}")


def _check_values(files: Iterable[Path]) -> None:
    """Raise CheckpointError for a tensor with values that are infinite or not a number."""
    for file in files:
        tensors = list_tensors(file)
        values = iter_tensors((tensor, _CPU, None) for tensor in tensors.values())
        for name, value in zip(tensors, values, strict=True):
            check_values(file, name, value)
