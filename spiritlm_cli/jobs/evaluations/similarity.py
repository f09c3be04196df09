"""`evaluate similarity`: hidden states of spoken and written words, layer by layer."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from spiritlm_cli.alignment.pool import available_cpus
from spiritlm_cli.alignment.sources import WordTimes
from spiritlm_cli.batching import Outcome
from spiritlm_cli.errors import ManifestError, OptionError
from spiritlm_cli.evaluation.records import Record, read_items
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
        """Read the clips. Raises MissingPackageError if there is to be a plot, and no matplotlib."""
        if self.options.plot or self.options.matrix:
            check_matplotlib()
        return [
            BadItem(clip.id, clip.source, clip.error) if isinstance(clip, BadClip) else clip
            for clip in scan_transcribed(self.options.data)
        ]

    def facts(self) -> dict[str, Any]:
        """Where the word times come from."""
        return {"word times": str(self.options.alignments or f"of the data, else by {self.options.aligner}")}

    @contextmanager
    def load(self) -> Iterator[Measure[Clip]]:
        """Load the tokenizer, the language model and the aligner. Raises CheckpointError."""
        with self._reader() as reader:
            yield partial(_measure, reader)

    def finish(self, records: Sequence[Record]) -> None:
        """Write the plots. Raises ManifestError for an items file of another task."""
        options = self.options
        used = [record for record in records if "error" not in record]
        if not used or not (options.plot or options.matrix):
            return
        layers = LayerEstimates.of(used)
        if options.plot:
            name = options.output.stem if options.output else options.checkpoint.description
            plot_similarity(
                {name: layers} | {path.stem: _read(path) for path in options.compare}, options.plot
            )
        if options.matrix:
            layer = layers.best if options.matrix_layer is None else options.matrix_layer
            if layer >= len(layers.gap):
                last = len(layers.gap) - 1
                raise OptionError(f"there is no layer {layer}; the last is {last}", "--matrix-layer")
            self._plot_matrix(used[0]["id"], layer, options.matrix)

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
        with WordTimes(options.alignments, options.aligner, options.device, cpus) as times:
            yield SentenceReader(tokenizer, model, times, options.batch_seconds, options.workers)


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
