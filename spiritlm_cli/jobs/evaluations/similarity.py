"""`evaluate similarity`: hidden states of spoken and written words, layer by layer."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from spiritlm_cli.alignment.pool import POCKETSPHINX, available_cpus
from spiritlm_cli.alignment.sources import WordTimes
from spiritlm_cli.batching import Outcome
from spiritlm_cli.errors import ManifestError, OptionError
from spiritlm_cli.evaluation.judges.folders import describe_folder
from spiritlm_cli.evaluation.records import Record, RunDescription, read_items
from spiritlm_cli.evaluation.similarity import LayerEstimates
from spiritlm_cli.evaluation.similarity_reading import SentenceReader
from spiritlm_cli.inspection.plots import check_matplotlib, plot_similarity, plot_similarity_matrix
from spiritlm_cli.jobs.evaluations.evaluation import BadItem, Evaluation, Measure, Part
from spiritlm_cli.jobs.options.evaluate_similarity import SimilarityOptions
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.manifests.clip import BadClip, Clip
from spiritlm_cli.manifests.transcribed import scan_transcribed
from spiritlm_cli.speech.tokenizer import SpeechTokenizer

__all__ = ["SimilarityEvaluation"]


@dataclass(frozen=True)
class SimilarityEvaluation(Evaluation[SimilarityOptions, Clip]):
    """Clips with a text."""

    what = "clips"

    @property
    def parts(self) -> tuple[Part, ...]:
        """The tokenizer and the language model."""
        return ("tokenizer", "language model")

    def items(self) -> Sequence[Clip | BadItem]:
        """Read the clips."""
        return [
            BadItem(clip.id, clip.source, clip.error) if isinstance(clip, BadClip) else clip
            for clip in scan_transcribed(self.options.data)
        ]

    def describe(self, ids: Iterable[str]) -> RunDescription:
        """Describe the run, and check what is needed for plots before it.

        Raises MissingPackageError without matplotlib, ManifestError for a file to compare that is of another task, and
        OptionError for two runs of one name.
        """
        if self.options.plot or self.options.matrix:
            check_matplotlib()
        self._runs_to_compare()
        return super().describe(ids)

    def facts(self) -> dict[str, Any]:
        """Where the word times come from."""
        options = self.options
        if options.alignments:
            return {"word times of": options.alignments.resolve().name}
        is_folder = options.aligner != POCKETSPHINX
        aligner = describe_folder(options.aligner, "CTC model") if is_folder else POCKETSPHINX
        return {"word times": f"of the data, else by {aligner}"}

    @contextmanager
    def load(self) -> Iterator[Measure[Clip]]:
        """Load the tokenizer, the language model and the aligner.

        Raises CheckpointError, and OptionError for a layer that the model does not have.
        """
        with self._reader() as reader:
            yield partial(_measure, reader)

    def finish(self, records: Sequence[Record]) -> None:
        """Write the plots. Raises as `describe`."""
        options = self.options
        used = [record for record in records if "error" not in record]
        if not used or not (options.plot or options.matrix):
            return
        layers = LayerEstimates.of(used)
        if options.plot:
            plot_similarity({self._name: layers} | self._runs_to_compare(), options.plot)
        if options.matrix:
            layer = layers.best if options.matrix_layer is None else options.matrix_layer
            self._plot_matrix(used[0]["id"], layer, options.matrix)

    @property
    def _name(self) -> str:
        """The name of this run in the plot."""
        return self.options.output.stem if self.options.output else self.options.checkpoint.description

    def _runs_to_compare(self) -> dict[str, LayerEstimates]:
        """The runs of --compare, by their names."""
        runs: dict[str, LayerEstimates] = {}
        for path in self.options.compare:
            if path.stem in runs or path.stem == self._name:
                raise OptionError(
                    f"{path}: another run has the name {path.stem}; rename the file", "--compare"
                )
            runs[path.stem] = _read(path)
        return runs

    def _plot_matrix(self, clip_id: str, layer: int, path: Path) -> None:
        """Compute the hidden states of one clip again, and plot their cosines at a layer."""
        clips = [clip for clip in self.items() if isinstance(clip, Clip) and clip.id == clip_id]
        with self._reader() as reader, closing(reader.read_stream(clips)) as stream:
            for _, outcome in stream:
                title = f"{clip_id}: cosines of pieces and phonetic units after layer {layer}"
                plot_similarity_matrix(outcome.result().matrix(layer), title, path)

    @contextmanager
    def _reader(self) -> Iterator[SentenceReader]:
        options = self.options
        # Half of the cores align, as the networks use all of them unless they are on a GPU.
        cpus = max(1, available_cpus() // 2)
        tokenizer = SpeechTokenizer.load(options.checkpoint, options.expressive, device=options.device)
        model = LanguageModel.load(options.checkpoint, options.expressive, options.device, options.dtype)
        if options.matrix_layer is not None:
            _check_layer(options.matrix_layer, model)
        with WordTimes(options.alignments, options.aligner, options.device, cpus) as times:
            yield SentenceReader(tokenizer, model, times, options.batch_seconds, options.workers)


@torch.inference_mode()
def _check_layer(layer: int, model: LanguageModel) -> None:
    """Raise OptionError for a layer that the model does not have."""
    (states,) = model.network.layer_states([torch.zeros(1, dtype=torch.int64, device=model.network.device)])
    if layer >= len(states):
        raise OptionError(f"there is no layer {layer}; the last is {len(states) - 1}", "--matrix-layer")


def _measure(reader: SentenceReader, clips: Iterable[Clip]) -> Iterator[tuple[Clip, Outcome[Record]]]:
    with closing(reader.read_stream(clips)) as stream:
        for clip, outcome in stream:
            yield clip, outcome.map(lambda states: states.compare().to_record())


def _read(path: Path) -> LayerEstimates:
    """The similarities of another run. Raises ManifestError."""
    description, records = read_items(path)
    if description.task != "similarity":
        raise ManifestError(f"{path}: is a run of {description.task}, not of similarity")
    return LayerEstimates.of([record for record in records if "error" not in record])
