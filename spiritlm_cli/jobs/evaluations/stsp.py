"""`evaluate stsp`: whether continuations keep the sentiment of a text or a clip."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from spiritlm_cli import __version__
from spiritlm_cli.audio.writing import write_audio
from spiritlm_cli.batching import Outcome
from spiritlm_cli.console import log
from spiritlm_cli.evaluation.judges.folders import describe_folder, read_labels
from spiritlm_cli.evaluation.judges.speech_classifier import SpeechClassifier
from spiritlm_cli.evaluation.judges.text_classifier import TextClassifier
from spiritlm_cli.evaluation.records import Record, RunDescription
from spiritlm_cli.evaluation.stsp import (
    MAX_NEW_TOKENS,
    RELEASED_MAX_NEW_TOKENS,
    Stsp,
    StspItem,
    check_labels,
    draw_shots,
)
from spiritlm_cli.evaluation.stsp_data import (
    BadRecord,
    ShotRecord,
    StspRecord,
    balance,
    data_root,
    find_sets,
    read_set,
    read_shots,
)
from spiritlm_cli.evaluation.stsp_directions import Direction, input_of, output_of
from spiritlm_cli.evaluation.stsp_predictions import (
    check_counts,
    compare,
    read_predictions,
    unknown_ids,
)
from spiritlm_cli.evaluation.stsp_report import result
from spiritlm_cli.inspection.plots import check_matplotlib, plot_stsp
from spiritlm_cli.jobs.evaluations.evaluation import BadItem, Evaluation, Measure, Part
from spiritlm_cli.jobs.options.evaluate_stsp import StspOptions
from spiritlm_cli.jobs.output import LineWriter
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.manifests.filenames import filename_for
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.vocoder.vocoder import Vocoder

__all__ = ["StspEvaluation"]


@dataclass(frozen=True)
class StspEvaluation(Evaluation[StspOptions, StspItem]):
    """Records in each direction and run; with `score_only`, references."""

    what = "continuations"

    @property
    def parts(self) -> tuple[Part, ...]:
        """Those that the directions need."""
        if self.options.score_only:
            return ()
        parts: list[Part] = ["tokenizer"] if self._needs_tokenizer else []
        parts.append("language model")
        return (*parts, "vocoder") if self._needs_vocoder else tuple(parts)

    def items(self) -> Sequence[StspItem | BadItem]:
        """The records of each direction, set and run, which take turns, so that the first ones are of all kinds.

        Raises MissingPackageError if there is to be a plot, and no matplotlib.
        """
        options = self.options
        if options.plot:
            check_matplotlib()
        if options.score_only:
            return self._references(options.score_only)
        streams = []
        for run in range(options.runs):
            for direction in options.selected_directions:
                for name, path in find_sets(options.path, options.split, input_of(direction)).items():
                    records = balance(read_set(name, path))
                    streams.append([_item(record, direction, run) for record in records])
        rounds = chain.from_iterable(zip_longest(*streams))
        return [item for item in rounds if item is not None]

    def facts(self) -> dict[str, Any]:
        """The judges, the sets, and what the prompts are. Raises CheckpointError for classifiers without sentiments."""
        options = self.options
        if options.score_only:
            return {"label": options.label, "faults of the release": self._faults}
        facts: dict[str, Any] = {}
        for what, folder in (
            ("text classifier", options.text_classifier),
            ("speech classifier", options.speech_classifier),
        ):
            if folder:
                facts[what] = describe_folder(folder, what)
                check_labels(read_labels(Path(folder) / "config.json"), str(folder))
        facts["sets"] = ", ".join(
            dict.fromkeys(
                name
                for direction in options.selected_directions
                for name in find_sets(options.path, options.split, input_of(direction))
            )
        )
        facts["split"] = options.split
        facts["examples"] = self._describe_shots()
        facts["sampling"] = f"temperature {options.temperature:g}, top-p {options.top_p:g}"
        facts["max new tokens"] = ", ".join(
            f"{direction} {self._max_new_tokens[direction]}" for direction in options.selected_directions
        )
        if self._needs_vocoder:
            facts["voice"] = options.speaker or "the default"
        facts["seeds"] = ", ".join(str(options.seed + run) for run in range(options.runs))
        facts["faults of the release"] = self._faults
        return facts

    @contextmanager
    def load(self) -> Iterator[Measure[StspItem]]:
        """Load the parts of the model and the classifiers. Raises CheckpointError."""
        options = self.options
        if options.score_only:
            yield self._compare
            return
        checkpoint, expressive, device = options.checkpoint, options.expressive, options.device
        text, speech = options.text_classifier, options.speech_classifier
        stsp = Stsp(
            LanguageModel.load(checkpoint, expressive=expressive, device=device, dtype=options.dtype),
            Sampling(temperature=options.temperature, top_p=options.top_p, seed=options.seed),
            tokenizer=SpeechTokenizer.load(checkpoint, expressive=expressive, device=device)
            if self._needs_tokenizer
            else None,
            vocoder=Vocoder.load(checkpoint, expressive=expressive, device=device)
            if self._needs_vocoder
            else None,
            text_classifier=TextClassifier.load(text, device) if text else None,
            speech_classifier=SpeechClassifier.load(speech, device) if speech else None,
            speaker=options.speaker,
            max_new_tokens=self._max_new_tokens,
            reads_item=not options.as_released,
            batch_size=options.batch_size,
            save=self._save if options.save_audio else None,
        )
        shots = {key: stsp.encode_shots(drawn, key[0]) for key, drawn in self._shots().items()}
        yield replace(stsp, shots=shots).measure

    def finish(self, records: Sequence[Record]) -> None:
        """Write the plot, and files of predictions and references."""
        used = [record for record in records if "error" not in record]
        if self.options.plot and used:
            # hashes are not in the plot, and take a while for a large model
            description = RunDescription("stsp", __version__, settings={"shots": self.options.shots})
            plot_stsp(result(description, used), self.options.plot)
        if self.options.predictions:
            self._write_predictions(self.options.predictions, used)

    def _write_predictions(self, folder: Path, records: Sequence[Record]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        items = {item.id: item for item in self.items()}
        files: dict[str, list[tuple[StspRecord, Record]]] = {}
        for record in records:
            item = items[record["id"]]
            if isinstance(item, StspItem):
                name = f"{item.direction}.{filename_for(item.record.set)}.{item.run}"
                files.setdefault(name, []).append((item.record, record))
        for name, members in files.items():
            with (
                LineWriter(folder / f"{name}.pred.jsonl") as predictions,
                LineWriter(folder / f"{name}.ref.jsonl") as references,
            ):
                for reference, record in members:
                    references.write_text(json.dumps(reference.fields, ensure_ascii=False))
                    predictions.write_text(json.dumps(_prediction(reference, record), ensure_ascii=False))

    @property
    def _faults(self) -> str:
        return "imitated" if self.options.as_released else "not imitated"

    @property
    def _needs_tokenizer(self) -> bool:
        directions, shots = self.options.selected_directions, self.options.shots
        return any(input_of(one) == "speech" or (shots and output_of(one) == "speech") for one in directions)

    @property
    def _needs_vocoder(self) -> bool:
        return any(output_of(direction) == "speech" for direction in self.options.selected_directions)

    @property
    def _max_new_tokens(self) -> dict[Direction, int]:
        limits = RELEASED_MAX_NEW_TOKENS if self.options.as_released else MAX_NEW_TOKENS
        return {direction: self.options.max_new_tokens or limit for direction, limit in limits.items()}

    def _shots(self) -> dict[tuple[Direction, int], list[ShotRecord]]:
        """The examples of each direction and run."""
        options = self.options
        if not options.shots:
            return {}
        folder = options.examples or options.path / "manifest" / "few_shot"
        drawn = {}
        for direction in options.selected_directions:
            path = folder / f"{direction}.jsonl"
            pool = read_shots(path, direction, data_root(path))
            for run in range(options.runs):
                drawn[direction, run] = draw_shots(pool, options.shots, options.seed + run, path)
        return drawn

    def _describe_shots(self) -> str:
        """The number of examples, and their lines."""
        shots = self._shots()
        if not shots:
            return "none"
        count = len(next(iter(shots.values())))
        lines = [
            f"{direction} run {run}: lines {' '.join(str(shot.line) for shot in drawn)}"
            for (direction, run), drawn in shots.items()
        ]
        return f"{count} ({'; '.join(lines)})"

    def _save(self, item: StspItem, waveform: Waveform) -> str:
        name = f"{filename_for(item.record.set)}.{filename_for(item.record.id)}.{item.run}.wav"
        path = Path(str(self.options.save_audio)) / item.direction / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_audio(path, waveform)
        return f"{item.direction}/{name}"

    def _references(self, predictions: Path) -> Sequence[StspItem | BadItem]:
        path = self.options.path
        records = list(read_set(path.stem, path))
        found = read_predictions(predictions)
        check_counts(records, found, predictions)
        good = [record for record in records if isinstance(record, StspRecord)]
        if unknown := unknown_ids(good, found):
            log.warning(
                "%s: %d ids are not in %s: %s", predictions, len(unknown), path, ", ".join(unknown[:4])
            )
        return [_item(record, "t2t", 0) for record in records]

    def _compare(self, items: Iterable[StspItem]) -> Iterator[tuple[StspItem, Outcome[Record]]]:
        label = self.options.label
        predictions = {one.id: one for one in read_predictions(Path(str(self.options.score_only)))}
        for item in items:
            yield item, Outcome.of(lambda item=item: compare(item.record, predictions, label))  # type: ignore[misc]


def _item(record: StspRecord | BadRecord, direction: Direction, run: int) -> StspItem | BadItem:
    if isinstance(record, BadRecord):
        return BadItem(f"{direction}/{record.id}/{run}", record.source, record.error)
    return StspItem(record, direction, run)


def _prediction(reference: StspRecord, record: Record) -> dict[str, Any]:
    """A line of predictions in the form of the release."""
    line = {"id": reference.fields["id"], "pred": record["pred"] or "none"}
    generation = record["generation"] if record["generation"] is not None else record["audio"]
    return line if generation is None else line | {"generation": generation}
