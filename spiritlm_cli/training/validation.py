"""Validation of the language model in training: held-out loss by modality, transcripts, and the best weights."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from spiritlm_cli.console import notify, one_line
from spiritlm_cli.errors import ManifestError, TokenError
from spiritlm_cli.evaluation.metrics import word_errors
from spiritlm_cli.files import read_bytes, write_bytes, write_text
from spiritlm_cli.language.few_shot import FewShot
from spiritlm_cli.language.generator import GenerationRequest
from spiritlm_cli.language.prompt import Prompt
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.language.tasks import Task
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.manifests.labels import without_labels
from spiritlm_cli.manifests.manifest import read_manifest
from spiritlm_cli.tokens.sequence import Line, SpeechSpan, TextSpan
from spiritlm_cli.tokens.sequence import Sequence as Tokens
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.tokens.units import Kind
from spiritlm_cli.training.corpus import read_sequences
from spiritlm_cli.training.data import read_units
from spiritlm_cli.training.documents import Document, encode_document
from spiritlm_cli.training.evaluator import Evaluator
from spiritlm_cli.training.extension import tokenizer_files
from spiritlm_cli.training.highest_units import HighestUnits
from spiritlm_cli.training.language_model_options import LanguageModelOptions, Loss
from spiritlm_cli.training.pairs import LabeledSequence
from spiritlm_cli.training.task_examples import build_examples, load_training_task

# Tokens of a transcript for each token of its reference, and more.
_TOKENS_PER_TOKEN = 2
_MORE_TOKENS = 8


@dataclass(frozen=True)
class SpokenClip:
    """A held-out clip: its units, and its text as the reference of a transcript."""

    id: str
    speech: SpeechSpan
    text: str


@dataclass(frozen=True)
class HeldOut:
    """Held-out data.

    sequences: their loss is computed. clips: some of them are transcribed. few_shot: the task in whose form they are
    transcribed; None if speech is followed by its text alone. highest: the highest units.
    """

    sequences: tuple[LabeledSequence, ...]
    clips: tuple[SpokenClip, ...]
    few_shot: FewShot | None = None
    highest: HighestUnits = field(default_factory=HighestUnits)


@dataclass(frozen=True)
class ValidationResult:
    """Means over the held-out data; None for what they don't have.

    loss: of the tokens that --loss trains on; text, units: of those of one modality, markers are of units. wer: word
    error rate of the transcripts, as a fraction.
    """

    loss: float
    text: float | None
    units: float | None
    wer: float | None

    def values(self) -> dict[str, float]:
        """The values by their names in the measurements of a training."""
        return {f"valid_{name}": value for name, value in asdict(self).items() if value is not None}

    def __str__(self) -> str:
        values = {"loss": self.loss, "text": self.text, "units": self.units}
        shown = [f"{name} {value:.4f}" for name, value in values.items() if value is not None]
        shown += [f"WER {100 * self.wer:.1f} %"] if self.wer is not None else []
        return ", ".join(shown)


def read_held_out(options: LanguageModelOptions) -> HeldOut:
    """Read the held-out token lines and clips. A clip becomes speech and its text.

    With a task, those that suit it are put into the form in which it is trained. Raises ManifestError for an invalid
    file, and if there is nothing in them.
    """
    highest = HighestUnits()
    lines = [Line(sequence) for sequence in read_sequences(options.valid, highest)] if options.valid else []
    clips: list[SpokenClip] = []
    if options.valid_manifest and options.valid_units:
        units_of = read_units(options.valid_units)
        for clip in read_manifest(options.valid_manifest):
            if clip.text and clip.id in units_of and len(units_of[clip.id].hubert):
                text = without_labels(clip)[0].text
                if text:
                    where = f"{options.valid_units}: {one_line(clip.id)}"
                    highest.add_units(units_of[clip.id], where)
                    clips.append(SpokenClip(clip.id, merge_streams(units_of[clip.id]), text))
        if not clips:
            raise ManifestError(
                f"{options.valid_manifest}: no clip has text, and units in {options.valid_units}"
            )
    lines += [Line(Tokens.of([clip.speech, TextSpan(clip.text)]), clip.id) for clip in clips]
    expressive = any(unit.kind is Kind.PITCH for clip in clips[:1] for unit in clip.speech.units)
    task = load_training_task(options, expressive) if options.task else None
    few_shot = FewShot(task, [], 0) if task and task.to == "text" else None
    return HeldOut(tuple(_labeled(line, task) for line in lines), tuple(clips), few_shot, highest)


def _labeled(line: Line, task: Task | None) -> LabeledSequence:
    """A line in the form of a task if it suits it. Otherwise its answer is what follows the first span."""
    if task:
        try:
            return build_examples(task, [line])
        except TokenError:
            pass
    spans = line.sequence.spans
    lengths = [len(span.text if isinstance(span, TextSpan) else span.units) for span in spans]
    return LabeledSequence(
        line.sequence, answers=tuple(np.full(length, 0 if i else -1) for i, length in enumerate(lengths))
    )


class Validation:
    """Computes `ValidationResult`s of a network in training, and keeps its best weights.

    The least loss so far is a part of the training's state. No random numbers are drawn.
    """

    def __init__(self, options: LanguageModelOptions, evaluator: Evaluator, held_out: HeldOut) -> None:
        """held_out: clips that don't fit into the context are not transcribed.

        Raises MissingPackageError if there are clips and jiwer is not installed, and ManifestError if there is nothing
        to compute a loss of, TokenError for a unit that the vocabulary does not have.
        """
        if held_out.clips:
            word_errors("a", "a")
        self._options, self._few_shot = options, held_out.few_shot
        self._evaluator, self._model = evaluator, evaluator.model
        vocabulary = self._model.vocabulary
        held_out.highest.check(vocabulary)
        self._documents = [
            piece
            for sequence in held_out.sequences
            for piece in _pieces(sequence, vocabulary, options.context + 1, options.loss)
        ]
        if not any(document.weights.any() for document in self._documents):
            raise ManifestError(f"the held-out data have no tokens that --loss {options.loss} trains on")
        marks = self._few_shot.task.mark_tokens(vocabulary) if self._few_shot else 0
        lengths = [len(vocabulary.encode_text(clip.text)) + marks for clip in held_out.clips]
        needed = [
            len(self._prompt(clip).encode(vocabulary)) + length + _MORE_TOKENS
            for clip, length in zip(held_out.clips, lengths, strict=True)
        ]
        clips = zip(held_out.clips, lengths, needed, strict=True)
        fitting = [(clip, length) for clip, length, tokens in clips if tokens <= options.context]
        fitting = fitting[: options.valid_clips]
        self._clips = [clip for clip, _ in fitting]
        if held_out.clips and not fitting:
            notify(
                f"lm: no held-out clip and its transcript fit into {options.context} tokens (--context), so that none "
                f"is transcribed; the shortest needs {min(needed)}"
            )
        self._longest = max([0, *(length for _, length in fitting)]) * _TOKENS_PER_TOKEN + _MORE_TOKENS
        self._best = math.inf

    @property
    def folder(self) -> Path:
        """Where the best weights are written."""
        return self._options.output / "best"

    def state_dict(self) -> dict[str, Any]:
        """The least loss so far."""
        return {"best": self._best}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue after a state."""
        self._best = state["best"]

    def after(self, step: int) -> dict[str, float]:
        """Validate after `step` steps if it is time to, and write the weights if their loss is the least so far.

        All processes call it, and get the same values, by name. The network is in training mode before and after it.
        """
        if step % self._options.valid_every and step != self._options.steps:
            return {}
        result = self._validate(step)
        is_best = result.loss < self._best
        notify(f"lm: step {step}, held-out {result}{'; the best so far' if is_best else ''}")
        if is_best:
            self._best = result.loss
            self._save()
        return result.values()

    def _validate(self, step: int) -> ValidationResult:
        sums = self._sum_losses()
        rate = self._transcribe(step) if self._clips else None
        total, count = sums.sum(0).tolist()
        text, units = (loss / tokens if tokens else None for loss, tokens in sums.tolist())
        return ValidationResult(total / count if count else 0.0, text, units, rate)

    @torch.no_grad()
    def _sum_losses(self) -> torch.Tensor:
        """Sum of the losses, and number of tokens, of text and of units: (2, 2) float64."""
        vocabulary, batch = self._model.vocabulary, self._options.batch
        device = self._model.network.get_input_embeddings().weight.device
        is_unit = torch.zeros(self._model.network.config.vocab_size, dtype=torch.bool)
        is_unit[[*vocabulary.unit_ids.values(), *vocabulary.marker_ids.values()]] = True
        sums = torch.zeros(2, 2, dtype=torch.float64)
        documents = self._evaluator.own(self._documents)
        with self._evaluator.mode():
            for first in range(0, len(documents), batch):
                ids, weights = _pad(documents[first : first + batch])
                logits = self._model.network(input_ids=ids[:, :-1].to(device)).logits.float()
                targets = ids[:, 1:].to(device)
                losses = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none").cpu()
                used = weights[:, 1:].flatten() > 0
                of_units = is_unit[ids[:, 1:].flatten()]
                for row, part in enumerate((used & ~of_units, used & of_units)):
                    sums[row, 0] += losses[part].double().sum()
                    sums[row, 1] += part.sum()
        return self._evaluator.sum(sums)

    def _transcribe(self, step: int) -> float:
        """Transcribe the clips, and write the transcripts. Returns the word error rate."""
        sampling = Sampling(greedy=True, one_span=True, max_new_tokens=self._longest)
        if self._few_shot:
            sampling = self._few_shot.sampling(sampling, self._longest, greedy=True)
        with self._evaluator.mode():
            stream = self._evaluator.language_model().generate_stream(
                self._evaluator.own(self._clips),
                lambda clip: GenerationRequest(self._prompt(clip), to="text", sampling=sampling, key=clip.id),
            )
            transcripts = [(clip, self._answer(outcome.result().sequence)) for clip, outcome in stream]
        results = []
        for clip, hypothesis in self._evaluator.merge(transcripts):
            count = word_errors(clip.text, hypothesis)
            row = {"id": clip.id, "reference": clip.text, "transcript": hypothesis.strip()}
            results.append((count, json.dumps(row | {"errors": count.errors}, ensure_ascii=False) + "\n"))
        if self._evaluator.is_main:
            path = self._options.output / "training" / "transcripts" / f"{step}.jsonl"
            write_text(path, "".join(line for _, line in results))
        return sum(count.errors for count, _ in results) / sum(count.length for count, _ in results)

    def _answer(self, sequence: Tokens) -> str:
        """The transcript in what was generated."""
        if self._few_shot:
            sequence = Tokens.of(self._few_shot.task.normalize_answer(sequence.spans))
        return sequence.text

    def _prompt(self, clip: SpokenClip) -> Prompt:
        """What a transcript continues."""
        line = Line(Tokens.of([clip.speech]), clip.id)
        return self._few_shot.prompt(line, clip.id) if self._few_shot else Prompt(line)

    def _save(self) -> None:
        """Write the folder of the best weights."""
        if self._evaluator.is_main:
            self.folder.mkdir(exist_ok=True)
            files = tokenizer_files(self._model.folder)
            for name in ("config.json", "generation_config.json"):
                if (path := self._model.folder / name).is_file():
                    files[name] = read_bytes(path)
            for name, content in files.items():
                write_bytes(self.folder / name, content)
        self._evaluator.save(replace(self._model, folder=self.folder))


def _pieces(sequence: LabeledSequence, vocabulary: Vocabulary, length: int, loss: Loss) -> Iterator[Document]:
    """A document of a sequence, and the rest of it as further ones where it is longer than `length` tokens."""
    document = encode_document(sequence, vocabulary, loss)
    first = 0
    while first < len(document):
        part, first = document.part(first, length, vocabulary)
        yield part


def _pad(documents: Sequence[Document]) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and weights of documents, (documents, longest); padding has weight 0."""
    longest = max(map(len, documents))
    ids = torch.zeros(len(documents), longest, dtype=torch.int64)
    weights = torch.zeros(len(documents), longest)
    for row, document in enumerate(documents):
        ids[row, : len(document)] = torch.from_numpy(document.ids)
        weights[row, : len(document)] = torch.from_numpy(document.weights)
    return ids, weights
