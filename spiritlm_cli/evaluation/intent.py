"""`intent`: whether the language model answers a spoken command with the label of what it asks for."""

from collections.abc import Iterable, Iterator
from collections.abc import Sequence as TypingSequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from random import Random

from spiritlm_cli.batching import Outcome
from spiritlm_cli.evaluation.estimate import Estimate
from spiritlm_cli.evaluation.fluent_speech_commands import Command, drop_none
from spiritlm_cli.evaluation.prompting import (
    Asked,
    Prompted,
    Prompter,
    Question,
    prompting_counts,
    prompting_notes,
)
from spiritlm_cli.evaluation.records import Record, RunDescription
from spiritlm_cli.evaluation.result import EvaluationResult, Metric, Published, ResultRow
from spiritlm_cli.language.hypothesis import Generation
from spiritlm_cli.language.prompt import Prompt
from spiritlm_cli.language.scoring import ScoredIds
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.sequence import Line, Sequence, TextSpan
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.tokens.units import Units

PUBLISHED_SHOTS = 30
# The paper's table 5. +ASR+TTS: trained on pairs of speech and its transcript as well.
PUBLISHED = (
    Published("Base, 30-shot", {"generated": 71.9}),
    Published("Expressive, 30-shot", {"generated": 66.2}),
    Published("Base +ASR+TTS, 30-shot", {"generated": 75.8}),
    Published("Whisper and Llama 2, 30-shot", {"generated": 89.6}),
)
METRICS = (
    Metric("generated", "generated"),
    Metric("by_sum", "by sum"),
    Metric("by_mean", "by mean"),
)
# Tokens of an answer beyond those of the longest label.
_MORE_TOKENS = 4


@dataclass(frozen=True)
class IntentClassifier:
    """Clip → units → language model → label.

    labels: all that there are. ranks: also compute the log-likelihood of each label. without_none: compare labels and
    answers without the slots that are not filled. max_new_tokens: the most tokens of an answer; None for those of the
    longest label and 4 more.
    """

    tokenizer: SpeechTokenizer
    prompter: Prompter
    labels: tuple[str, ...]
    ranks: bool = False
    without_none: bool = False
    max_new_tokens: int | None = None
    batch_size: int = 16

    def measure(self, commands: Iterable[Command]) -> Iterator[tuple[Command, Outcome[Record]]]:
        """Classify commands in batches. Yields (command, outcome) in order.

        The outcome raises AudioError for a clip that can't be read, and TokenError if its units fill the model's
        context, or if there are too few examples.
        """
        generated = self.prompter.language_model.generate_stream(
            self._ask(commands), Asked.request, batch_size=self.batch_size
        )
        record = self._ranked if self.ranks else self._record
        for asked, generation in generated:
            yield asked.item, generation.map(partial(record, asked))

    def _ask(self, commands: Iterable[Command]) -> Iterator[Asked[Command]]:
        by_id: dict[str, Command] = {}

        def clips() -> Iterator[Clip]:
            for command in commands:
                by_id[command.id] = command
                yield command.clip

        for clip, units in self.tokenizer.encode_stream(clips()):
            command = by_id.pop(clip.id)
            # the units have to be taken before the next clip is asked for
            yield Asked.of(command, partial(self._prompt, command, units))

    def _prompt(self, command: Command, units: Outcome[Units]) -> Prompted:
        line = Line(Sequence.of([merge_streams(units.result())]), command.id)
        vocabulary = self.prompter.language_model.vocabulary
        longest = max(len(vocabulary.encode_text(label)) for label in self.labels)
        limit = self.max_new_tokens or longest + _MORE_TOKENS
        return self.prompter(Question(line, command.id, limit, limit, command.clip.speaker))

    def _labeled(self, asked: Asked[Command]) -> list[ScoredIds]:
        """Each label after the prompt of a command."""
        prompted, model = asked.prompted, self.prompter.language_model
        context, line = prompted.encoded.ids, Prompt.of(prompted.request.prompt).line
        scored = []
        for label in self.labels:
            _, ids = model.vocabulary.encode_continuation(line, Sequence.of([TextSpan(label)]))
            scored.append(ScoredIds([*context, *ids], len(context)))
            scored[-1].check_length(model.context_length)
        return scored

    def _ranked(self, asked: Asked[Command], generation: Generation) -> Record:
        model, label = self.prompter.language_model, asked.item.label
        stream = model.score_ids_stream(self._labeled(asked), lambda scored: scored)
        scores = [outcome.result() for _, outcome in stream]
        gold = drop_none(label) if self.without_none else label
        return self._record(asked, generation) | {
            "scores": {
                name: [score.log_likelihood, score.tokens]
                for name, score in zip(self.labels, scores, strict=True)
            },
            "by_sum": likeliest(self.labels, [score.log_likelihood for score in scores], gold),
            "by_mean": likeliest(self.labels, [score.mean for score in scores], gold),
        }

    def _record(self, asked: Asked[Command], generation: Generation) -> Record:
        return {
            **answer_record(asked.item.label, generation.sequence.text, self.without_none),
            "tokens": len(generation.ids),
            "finished": generation.finished,
            **asked.prompted.to_record(),
        }


def first_line(answer: str) -> str:
    """The first line of an answer, with single spaces between its words."""
    lines = answer.strip().splitlines()
    return " ".join(lines[0].split()) if lines else ""


def answer_record(label: str, answer: str, without_none: bool) -> Record:
    """Compare an answer with the label of its command. without_none: leave out the slots that are not filled."""
    answer = first_line(answer)
    right = drop_none(answer) == drop_none(label) if without_none else answer == label
    return {"label": label, "text": answer, "generated": float(right)}


def likeliest(labels: TypingSequence[str], scores: TypingSequence[float], label: str) -> float:
    """1 if the label has the highest score, 0 if not; if several have it, its share of them."""
    best = [name for name, score in zip(labels, scores, strict=True) if score == max(scores)]
    return 1 / len(best) if label in best else 0.0


def score_answers(
    texts: dict[str, str], without_none: bool, commands: Iterable[Command]
) -> Iterator[tuple[Command, Outcome[Record]]]:
    """Score answers that there are already. texts: by id of the commands, for all of them."""
    for command in commands:
        yield (
            command,
            Outcome.of(partial(answer_record, command.label, texts[command.id], without_none)),
        )


def draw_examples(commands: TypingSequence[Command], seed: int, balanced: bool) -> list[Command]:
    """The commands in a random order. balanced: all labels in turn, as long as there are commands of them."""
    rng = Random(f"intent {seed}")
    drawn = rng.sample(commands, len(commands))
    if not balanced:
        return drawn
    of_label: dict[str, list[Command]] = {}
    for command in drawn:
        of_label.setdefault(command.label, []).append(command)
    rounds = zip_longest(*of_label.values())
    return [command for one in rounds for command in one if command]


def result(description: RunDescription, records: TypingSequence[Record]) -> EvaluationResult:
    """Compute the share of commands with the right label. Labels that are ranked are counted, or else the records'."""
    values = {
        metric.name: Estimate.of_mean(record[metric.name] for record in records)
        for metric in METRICS
        if all(metric.name in record for record in records)
    }
    ranked = {label for record in records for label in record.get("scores", ())}
    labels = len(ranked or {record["label"] for record in records})
    chance = [f"by sum, by mean: {labels} labels are ranked, chance {100 / labels:.1f}."] if ranked else []
    row = ResultRow("intent", len(records), values, published=PUBLISHED)
    return EvaluationResult(
        description,
        len(records),
        tuple(metric for metric in METRICS if metric.name in values),
        (row,),
        notes=(*chance, *prompting_notes(records, PUBLISHED_SHOTS)),
        counts={"labels": labels, **prompting_counts(records)},
    )
