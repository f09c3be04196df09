"""`evaluate units`: phones, codebook and constancy of a tokenizer's units."""

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
import torch

from spiritlm_cli.alignment.pocketsphinx import Phone, PocketsphinxAligner
from spiritlm_cli.alignment.store import AlignmentFiles
from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.batching import Outcome
from spiritlm_cli.console import log, one_line
from spiritlm_cli.errors import AlignmentError, SpiritLMError
from spiritlm_cli.evaluation.phone_agreement import SILENCE, frame_phones, spoken_phones
from spiritlm_cli.evaluation.records import Record
from spiritlm_cli.evaluation.unit_counts import codebook_facts, units_to_json
from spiritlm_cli.evaluation.unit_edits import UnitEdits
from spiritlm_cli.inspection.codebooks import model_codebooks
from spiritlm_cli.jobs.evaluations.evaluation import BadItem, Evaluation, Measure, Part
from spiritlm_cli.jobs.options.evaluate_units import UnitsOptions
from spiritlm_cli.manifests.clip import BadClip, Clip, FloatArray, Waveform
from spiritlm_cli.manifests.transcribed import scan_transcribed
from spiritlm_cli.speech.perturbation import perturb
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.speech.windows import check_samples, split_windows
from spiritlm_cli.tokens.timeline import HUBERT_RATE
from spiritlm_cli.tokens.units import Kind, Units
from spiritlm_cli.training.options import PERTURBATIONS

# Gives the phones of a clip, or None if they are unknown.
FindPhones = Callable[[Clip], tuple[Phone, ...] | None]


@dataclass(frozen=True)
class _Version:
    """A clip as it is (change None), or changed."""

    clip: Clip
    change: str | None


@dataclass(frozen=True)
class UnitsEvaluation(Evaluation[UnitsOptions, Clip]):
    """Clips, and changed versions of them."""

    what = "clips"

    @property
    def parts(self) -> tuple[Part, ...]:
        """The tokenizer."""
        return ("tokenizer",)

    def items(self) -> Sequence[Clip | BadItem]:
        """Read the clips; a text is not needed."""
        return [
            BadItem(clip.id, clip.source, clip.error) if isinstance(clip, BadClip) else clip
            for clip in scan_transcribed(self.options.source, texts=False)
        ]

    def facts(self) -> dict[str, Any]:
        """The sizes of the codebooks, where phones are from, and the seed of the changes."""
        options = self.options
        sizes = model_codebooks(options.checkpoint)
        known = {kind: size for kind, size in sizes.items() if kind is Kind.HUBERT or options.expressive}
        facts: dict[str, Any] = dict(codebook_facts(known))
        if options.phones:
            aligned = options.alignments
            facts["phones of"] = aligned.resolve().name if aligned else "pocketsphinx"
        if options.changes:
            facts["seed"] = options.seed
        return facts

    @contextmanager
    def load(self) -> Iterator[Measure[Clip]]:
        """Load the tokenizer, and open the alignments. Raises CheckpointError and ManifestError."""
        options = self.options
        tokenizer = SpeechTokenizer.load(
            options.checkpoint, expressive=options.expressive, device=options.device
        )
        with ExitStack() as stack:
            phones: FindPhones = _no_phones
            if options.alignments:
                files = AlignmentFiles.open(options.alignments, keep_labels=True, tier="phones")
                phones = partial(_look_up, stack.enter_context(files))
            elif options.phones:
                phones = partial(_align, PocketsphinxAligner())
            yield partial(_measure, tokenizer, phones, options)


def _measure(
    tokenizer: SpeechTokenizer, phones: FindPhones, options: UnitsOptions, clips: Iterable[Clip]
) -> Iterator[tuple[Clip, Outcome[Record]]]:
    versions = (_Version(clip, change) for clip in clips for change in (None, *options.changes))
    stream = tokenizer.encode_windows_stream(
        versions, partial(_windows, tokenizer.rate, options.seed), options.batch_seconds, options.workers
    )
    encoded = ((version, _units(tokenizer, windows)) for version, windows in stream)
    for clip, group in groupby(encoded, lambda pair: pair[0].clip):
        # The results of a version are lost when the next one is taken.
        found = {version.change: units for version, units in group}
        yield clip, Outcome.of(partial(_record, clip, found, phones))


def _units(tokenizer: SpeechTokenizer, windows: Outcome[Any]) -> Units | SpiritLMError:
    try:
        return tokenizer.join_windows(list(windows))
    except SpiritLMError as error:
        return error


def _windows(rate: int, seed: int, version: _Version) -> list[FloatArray]:
    """The samples of a version; those of a change depend on the seed, the clip's id and the name of the change."""
    waveform = read_clip(version.clip, rate=rate)
    samples = check_samples(waveform, rate)
    if version.change is not None:
        number = PERTURBATIONS.index(version.change)
        rng = np.random.default_rng([seed, zlib.crc32(version.clip.id.encode()), number])
        changed, _ = perturb(version.change, torch.from_numpy(samples)[None], rng)
        samples = check_samples(Waveform(changed[0].numpy(), rate), rate)
    return split_windows(samples)


def _record(clip: Clip, found: dict[str | None, Units | SpiritLMError], phones: FindPhones) -> Record:
    versions: dict[str | None, Units] = {}
    for change, units in found.items():
        if isinstance(units, SpiritLMError):
            raise units
        versions[change] = units
    clean = versions.pop(None)
    record: Record = {
        "seconds": read_clip(clip).seconds,
        "text": clip.text,
        "speaker": clip.speaker,
        "units": units_to_json(clean),
        "changes": {
            change: asdict(UnitEdits.between(clean.hubert, units.hubert))
            for change, units in versions.items()
        },
    }
    if (known := phones(clip)) is not None:
        labels = frame_phones(known, len(clean.hubert), HUBERT_RATE)
        record["phones"] = [label or SILENCE for label in labels]
    return record


def _no_phones(clip: Clip) -> None:
    return None


def _look_up(files: AlignmentFiles, clip: Clip) -> tuple[Phone, ...]:
    transcript = files.find(clip.id)
    if transcript is None or transcript.alignment is None:
        raise AlignmentError(f"{clip.id}: {files.path} has no alignment of this id")
    return spoken_phones(transcript.alignment)


def _align(aligner: PocketsphinxAligner, clip: Clip) -> tuple[Phone, ...] | None:
    """Align a clip with its text. One that has none, or does not match it, is measured without phones."""
    if not clip.text:
        return None
    try:
        return aligner.align_phones(read_clip(clip), clip.text)[1]
    except AlignmentError as error:
        log.warning("%s", one_line(f"{clip.id}: without phones ({error})"))
        return None
