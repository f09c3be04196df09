"""`evaluate intent`: the labels of spoken commands."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

from spiritlm_cli.errors import OptionError
from spiritlm_cli.evaluation.fluent_speech_commands import (
    BadCommand,
    Command,
    data_folder,
    drop_none,
    read_commands,
)
from spiritlm_cli.evaluation.hypotheses import read_texts
from spiritlm_cli.evaluation.intent import IntentClassifier, draw_examples, score_answers
from spiritlm_cli.evaluation.prompting import Prompter
from spiritlm_cli.jobs.evaluations.answers import (
    load_prompts,
    prompt_facts,
    with_stops,
    with_texts,
)
from spiritlm_cli.jobs.evaluations.evaluation import BadItem, Evaluation, Measure, Part
from spiritlm_cli.jobs.few_shot import LoadTokenizer, clip_examples
from spiritlm_cli.jobs.options.evaluate_generation import IntentOptions
from spiritlm_cli.language.few_shot import Example
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.language.tasks import Task
from spiritlm_cli.speech.tokenizer import SpeechTokenizer

__all__ = ["IntentEvaluation"]


@dataclass(frozen=True)
class IntentEvaluation(Evaluation[IntentOptions, Command]):
    """Commands of Fluent Speech Commands."""

    what = "commands"

    @property
    def parts(self) -> tuple[Part, ...]:
        """The tokenizer and the language model, unless there are answers."""
        return () if self.options.hypotheses else ("tokenizer", "language model")

    def items(self) -> Sequence[Command | BadItem]:
        """Read the commands, and which of them have answers."""
        items = [
            BadItem(command.id, command.source, command.error) if isinstance(command, BadCommand) else command
            for command in read_commands(data_folder(self.options.path), self.options.split)
        ]
        path = self.options.hypotheses
        return with_texts(items, path) if path else items

    def facts(self) -> dict[str, Any]:
        """How the answers are generated and compared."""
        options = self.options
        facts = {"split": options.split, "empty slots": "left out" if options.drop_none else "kept"}
        if options.hypotheses:
            return facts | {"answers": options.hypotheses.name}
        drawn = "all labels in turn" if options.balanced else "a random order"
        pool = (
            options.examples.resolve().name if options.examples else f"train in {drawn} (seed {options.seed})"
        )
        prompts = prompt_facts(options, pool, "those of the longest label and 4")
        return facts | prompts | {"sampling": "greedy"}

    @contextmanager
    def load(self) -> Iterator[Measure[Command]]:
        """Load the models. Raises CheckpointError; TokenError and ManifestError for examples."""
        options = self.options
        if options.hypotheses:
            yield partial(score_answers, read_texts(options.hypotheses), options.drop_none)
            return
        tokenizer = SpeechTokenizer.load(
            options.checkpoint, expressive=options.expressive, device=options.device
        )
        few_shot = load_prompts(options, "text", lambda: tokenizer, self._training_examples)
        model = LanguageModel.load(
            options.checkpoint, expressive=options.expressive, device=options.device, dtype=options.dtype
        )
        sampling = with_stops(Sampling(greedy=True), few_shot, options.seed)
        yield IntentClassifier(
            tokenizer,
            Prompter(model, "text", sampling, few_shot, options.context),
            tuple(sorted({self._label(command) for command in self._labeled})),
            options.likelihood,
            options.drop_none,
            options.max_new_tokens,
            options.batch_size,
        ).measure

    @cached_property
    def _labeled(self) -> list[Command]:
        """The commands of all splits."""
        folder = data_folder(self.options.path)
        return [
            command
            for split in ("train", "valid", "test")
            if (folder / "data" / f"{split}_data.csv").is_file()
            for command in read_commands(folder, split)
            if isinstance(command, Command)
        ]

    def _label(self, command: Command) -> str:
        return drop_none(command.label) if self.options.drop_none else command.label

    def _training_examples(self, task: Task, tokenizer: LoadTokenizer) -> list[Example]:
        if self.options.split == "train":
            raise OptionError("train needs --examples, since the examples are of that split", "--split")
        commands = [
            command
            for command in read_commands(data_folder(self.options.path), "train")
            if isinstance(command, Command)
        ]
        drawn = draw_examples(commands, self.options.seed, self.options.balanced)
        return clip_examples((replace(one.clip, text=self._label(one)) for one in drawn), tokenizer)
