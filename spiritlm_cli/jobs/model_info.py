"""What a model consists of, read from its files without loading its weights."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Any

from rich.table import Table

from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.checkpoints.layout import known_model
from spiritlm_cli.checkpoints.lazy_tensors import LazyTensor, list_tensors, weight_files
from spiritlm_cli.checkpoints.slamkit import SLAMKIT_UNITS, lacks_text_tokenizer, read_values
from spiritlm_cli.config import read_json
from spiritlm_cli.console import counted, escape_markup, log
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.jobs.model_parts import ModelParts, part_name
from spiritlm_cli.jobs.options.models import ModelInfoOptions
from spiritlm_cli.language.vocabulary_loading import load_vocabulary
from spiritlm_cli.speech.pitch import PitchConfig
from spiritlm_cli.speech.quantizer import load_quantizer
from spiritlm_cli.speech.style import StyleConfig
from spiritlm_cli.tokens.timeline import HUBERT_RATE, PITCH_RATE, STYLE_RATE
from spiritlm_cli.tokens.units import Kind
from spiritlm_cli.vocoder.voices import Voices

_STREAMS = {Kind.HUBERT: "phonetic", Kind.PITCH: "pitch", Kind.STYLE: "style"}


@dataclass(frozen=True)
class PartInfo:
    """A part of a model; what does not apply to it is None.

    parameters: number of values in its files. size: of its files in bytes. dtype: of its tensors; several are joined by
    commas. units: number of units that it makes, or that a language model has tokens for; unit_counts: of these, by
    stream: phonetic, pitch, style; rate: how many of them per second. sample_rate: of the audio in Hz. speakers,
    styles: their names. context: most tokens of a language model; vocabulary: number of its tokens; network: its
    `model_type`; text: whether it has text, or speech alone; needs: what its folder has not.
    """

    name: str
    file: str
    parameters: int
    size: int
    dtype: str
    units: int | None = None
    unit_counts: dict[str, int] | None = None
    rate: float | None = None
    sample_rate: int | None = None
    speakers: tuple[str, ...] | None = None
    styles: tuple[str, ...] | None = None
    context: int | None = None
    vocabulary: int | None = None
    network: str | None = None
    text: bool | None = None
    needs: str | None = None

    @property
    def details(self) -> str:
        """What a table says of it beside its size."""
        facts = [
            self.network,
            _units(self.units, self.unit_counts),
            None if self.text is None else "text" if self.text else "no text",
            None if self.rate is None else f"{self.rate:g} per second",
            None if self.sample_rate is None else f"{self.sample_rate:,} Hz",
            None if self.speakers is None else counted(len(self.speakers) or 1, "speaker"),
            counted(len(self.styles), "style") if self.styles else None,
            None if self.context is None else f"context {self.context:,}",
            _counted(self.vocabulary, "token"),
            self.needs and f"needs {self.needs}",
        ]
        return ", ".join(fact for fact in facts if fact)


@dataclass(frozen=True)
class ModelInfo:
    """A model. tokenizer: the fingerprint of its speech tokenizer; license, page: None if not known."""

    model: str
    folder: str
    license: str | None
    page: str | None
    tokenizer: str | None
    parts: tuple[PartInfo, ...]

    def to_json(self) -> dict[str, Any]:
        """Return an object for `json.dumps`."""
        return asdict(self)

    def table(self) -> Table:
        """Return a `rich` table."""
        notes = [f"{self.folder}"]
        notes += [f"license: {self.license}"] if self.license else []
        notes += [f"page: {self.page}"] if self.page else []
        notes += [f"tokenizer: {self.tokenizer}"] if self.tokenizer else []
        table = Table(title=escape_markup(self.model), caption="\n".join(map(escape_markup, notes)))
        for name in ("part", "parameters", "size", "dtype", "details"):
            table.add_column(name, justify="right" if name in ("parameters", "size") else "left")
        for part in self.parts:
            row = (part.name, f"{part.parameters:,}", f"{part.size / 1e6:,.1f} MB", part.dtype, part.details)
            table.add_row(*map(escape_markup, row))
        return table


def describe(options: ModelInfoOptions) -> ModelInfo:
    """Describe a model: its parts and what they can do.

    Only the quantizer, which is small, and the vocabulary are loaded. What is missing of a part is logged.
    Raises CheckpointError if there is no such model, or if a file of it can't be read.
    """
    checkpoint = find_checkpoint(options.model)
    model = ModelParts(checkpoint)
    known = known_model(checkpoint)
    for message in model.missing():
        log.warning("%s", message)
    parts = [*_tokenizer_parts(model), *_vocoders(model)]
    parts += [_language_model(model, name, folder) for name, folder in model.language_models().items()]
    return ModelInfo(
        checkpoint.name,
        str(checkpoint.root),
        known.license if known else None,
        known.page if known else None,
        checkpoint.fingerprint() if model.hubert and model.quantizer else None,
        tuple(parts),
    )


def _tokenizer_parts(model: ModelParts) -> list[PartInfo]:
    parts = []
    if model.hubert:
        if (config := model.hubert.with_name("config.json")).exists():
            read_json(config)  # which has to be readable
        parts.append(_part(model, "HuBERT", (model.hubert,), rate=HUBERT_RATE))
    if model.quantizer:
        parts.append(_quantizer(model, model.quantizer))
    if model.pitch:
        bins = PitchConfig.read(model.checkpoint.pitch_config).vq_params.l_bins
        parts.append(_part(model, "pitch VQ-VAE", (model.pitch,), units=bins, rate=PITCH_RATE))
    if model.style:
        labels = StyleConfig.read(model.style.with_name("config.json")).id2label
        parts.append(_part(model, "style encoder", (model.style,), units=len(labels), rate=STYLE_RATE))
    return parts


def _quantizer(model: ModelParts, path: Path) -> PartInfo:
    quantizer = load_quantizer(path)
    tensors = quantizer.state_dict().values()
    return PartInfo(
        "quantizer",
        _relative(model, path),
        sum(tensor.numel() for tensor in tensors),
        path.stat().st_size,
        _join(str(tensor.dtype).removeprefix("torch.") for tensor in tensors),
        units=quantizer.num_units,
        rate=HUBERT_RATE,
    )


def _vocoders(model: ModelParts) -> list[PartInfo]:
    parts = []
    for expressive in (False, True):
        if generator := model.generator(expressive):
            voices = Voices.of_checkpoint(model.checkpoint, expressive)
            parts.append(
                _part(
                    model,
                    part_name("vocoder", expressive),
                    (generator,),
                    sample_rate=voices.config.sampling_rate,
                    speakers=voices.speakers,
                    styles=voices.styles,
                )
            )
    return parts


def _language_model(model: ModelParts, name: str, folder: Path) -> PartInfo:
    values = read_values(folder / "config.json")
    context, vocabulary, network = (
        values.get(key) for key in ("max_position_embeddings", "vocab_size", "model_type")
    )
    return _part(
        model,
        name,
        weight_files(folder)[1],
        context=context if isinstance(context, int) else None,
        vocabulary=vocabulary if isinstance(vocabulary, int) else None,
        network=network if isinstance(network, str) else None,
        **_vocabulary_facts(folder),
    )


def _vocabulary_facts(folder: Path) -> dict[str, Any]:
    """The fields `units`, `unit_counts`, `text` and `needs` of a language model."""
    if lacks_text_tokenizer(folder):
        return {"units": SLAMKIT_UNITS, "text": True, "needs": "--text-tokenizer"}
    try:
        vocabulary = load_vocabulary(folder)
    except CheckpointError as error:
        log.warning("%s", error)
        return {}
    counts = {name: vocabulary.unit_counts[kind] for kind, name in _STREAMS.items()}
    return {
        "units": len(vocabulary.unit_ids),
        "unit_counts": {name: count for name, count in counts.items() if count},
        "text": bool(vocabulary.text_ids),
    }


def _part(model: ModelParts, name: str, files: tuple[Path, ...], **facts: Any) -> PartInfo:
    tensors: dict[str, LazyTensor] = {}
    for file in files:
        tensors |= list_tensors(file)
    if not tensors:
        raise CheckpointError(f"{files[0]}: holds no tensors")
    return PartInfo(
        name,
        _relative(model, files[0] if len(files) == 1 else files[0].parent),
        sum(prod(tensor.shape) for tensor in tensors.values()),
        sum(file.stat().st_size for file in files),
        _join(tensor.dtype for tensor in tensors.values()),
        **facts,
    )


def _relative(model: ModelParts, path: Path) -> str:
    return path.relative_to(model.checkpoint.root).as_posix()


def _join(names: Iterable[str]) -> str:
    return ", ".join(sorted(set(names)))


def _units(units: int | None, counts: dict[str, int] | None) -> str | None:
    """The number of units, of each stream if there are several."""
    if counts and len(counts) > 1:
        return f"{' + '.join(map(str, counts.values()))} units"
    return _counted(units, "unit")


def _counted(number: int | None, noun: str) -> str | None:
    return None if number is None else counted(number, noun)
