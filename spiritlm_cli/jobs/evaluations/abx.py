"""`evaluate abx`: whether phones are closer to phones of their kind than to others."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from spiritlm_cli.batching import Outcome
from spiritlm_cli.errors import OptionError
from spiritlm_cli.evaluation.abx import AbxGroup, AbxLimits, Mode, abx_cells, abx_groups
from spiritlm_cli.evaluation.abx_distance import Features
from spiritlm_cli.evaluation.abx_features import (
    EncodedFrames,
    FrameSource,
    HubertFeatures,
    StoredFrames,
    token_frames,
)
from spiritlm_cli.evaluation.abx_items import AbxToken, read_abx_items
from spiritlm_cli.evaluation.abx_result import group_record
from spiritlm_cli.evaluation.records import Record, RunDescription
from spiritlm_cli.jobs.evaluations.evaluation import BadItem, Evaluation, Measure, Part
from spiritlm_cli.jobs.options.evaluate_units import AbxOptions, Many
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.nn.device import find_device
from spiritlm_cli.speech.hubert import Hubert, LayerError
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.timeline import HUBERT_RATE


@dataclass(frozen=True)
class AbxEvaluation(Evaluation[AbxOptions, AbxGroup]):
    """The groups of an item file."""

    what = "groups"

    @property
    def parts(self) -> tuple[Part, ...]:
        """The tokenizer, unless features are given."""
        return () if self.options.audio is None else ("tokenizer",)

    def describe(self, ids: Iterable[str]) -> RunDescription:
        """Describe the run. Pitch and style units are not compared, so it has no set of units."""
        return replace(super().describe(ids), units=None)

    def items(self) -> Sequence[AbxGroup | BadItem]:
        """Read the item file, and draw what is compared."""
        options = self.options
        tokens = read_abx_items(options.path)
        modes: tuple[Mode, ...] = ("within", "across") if options.mode == "both" else (options.mode,)
        limits = AbxLimits(_number(options.max_group), _number(options.max_x), options.seed)
        return [group for mode in modes for group in abx_groups(tokens, mode, limits, options.path)]

    def facts(self) -> dict[str, Any]:
        """What is compared, and what is drawn."""
        options = self.options
        compared = "phonetic units" if options.layer is None else f"features of HuBERT layer {options.layer}"
        if options.features:
            compared = f"{options.features.resolve().name} at {options.rate:g} Hz"
        return {
            "ABX of": compared,
            "slices of": options.slices,
            "tokens of a phone": options.max_group,
            "speakers of X": options.max_x,
            "seed": options.seed,
        }

    @contextmanager
    def load(self) -> Iterator[Measure[AbxGroup]]:
        """Load the tokenizer, or open the features.

        Raises CheckpointError and ManifestError, and OptionError for a layer that HuBERT does not have.
        """
        source = self._source()
        rule = self.options.slices

        def frames(token: AbxToken) -> Features:
            return token_frames(source, token, rule)

        yield partial(_measure, source, frames, _number(self.options.max_group))

    def _source(self) -> FrameSource:
        options = self.options
        if options.features is not None:
            assert options.rate is not None
            return StoredFrames(options.features, options.rate)
        assert options.audio is not None
        if options.layer is not None:
            hubert = _load_hubert(options.checkpoint.hubert, options.layer)
            encode = HubertFeatures(
                hubert.to(find_device(options.device)), options.batch_seconds, options.workers
            )
            return EncodedFrames(options.audio, encode.rate, encode)
        tokenizer = SpeechTokenizer.load(options.checkpoint, expressive=False, device=options.device)

        def encode_units(clips: Iterable[Clip]) -> Iterator[tuple[Any, Outcome[Features]]]:
            stream = tokenizer.encode_stream(
                clips, batch_seconds=options.batch_seconds, workers=options.workers
            )
            return ((clip, outcome.map(lambda units: units.hubert)) for clip, outcome in stream)

        return EncodedFrames(options.audio, HUBERT_RATE, encode_units)


def _load_hubert(path: Path, layer: int) -> Hubert:
    """Load HuBERT up to a layer. Raises OptionError for a layer that it does not have."""
    try:
        return Hubert.load(path, layer)
    except LayerError as error:
        raise OptionError(f"there is no layer {layer}; the last is {error.layers}", "--layer") from None


def _measure(
    source: FrameSource,
    frames: Callable[[AbxToken], Features],
    max_group: int | None,
    groups: Iterable[AbxGroup],
) -> Iterator[tuple[AbxGroup, Outcome[Record]]]:
    groups = list(groups)
    source.load(sorted({file for group in groups for file in group.files}))
    for group in groups:
        yield group, Outcome.of(partial(_record, group, frames, max_group))


def _record(group: AbxGroup, frames: Callable[[AbxToken], Features], max_group: int | None) -> Record:
    empty: set[AbxToken] = set()

    def noted_frames(token: AbxToken) -> Features:
        if not len(found := frames(token)):
            empty.add(token)
        return found

    return group_record(group, abx_cells(group, noted_frames, max_group), empty)


def _number(many: Many) -> int | None:
    return None if many == "all" else many
