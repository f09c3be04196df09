"""Examples of a task, and prompts made with them."""

import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from spiritlm_cli.errors import TokenError
from spiritlm_cli.jobs.lines import InputLine, read_input

if TYPE_CHECKING:
    from spiritlm_cli.checkpoints import Checkpoint
    from spiritlm_cli.language.prompt import Prompt
    from spiritlm_cli.language.sampling import Sampling
    from spiritlm_cli.language.tasks import Task
    from spiritlm_cli.tokens.sequence import Line, SpeechSpan


@dataclass(frozen=True, eq=False)
class Shots:
    """A task with its examples. count: of how many a prompt is made (None: the task's number, or what there is);
    shuffle: draw them for each line."""

    task: "Task"
    examples: "list[Line]"
    count: int | None
    shuffle: bool
    seed: int = 0

    def sampling(self, sampling: "Sampling", max_new_tokens: int | None, greedy: bool | None) -> "Sampling":
        """With the task's ends, and its own numbers where none were asked for."""
        template = self.task.template
        return replace(
            self.task.sampling(sampling),
            max_new_tokens=max_new_tokens or (None if sampling.timed else template.max_new_tokens),
            greedy=template.greedy if greedy is None else greedy,
        )

    def prompt(self, line: InputLine) -> "Prompt":
        """Raises TokenError for a line that the task can't be put to, or that has too few examples."""
        draw = random.Random(f"{self.seed} {line.name}") if self.shuffle else None
        return self.task.prompt(line.line, self.task.choose(self.examples, self.count, line.line, draw))


def load_shots(
    name: str,
    path: str | None,
    count: int | None,
    checkpoint: "Checkpoint",
    expressive: bool,
    device: str,
    shuffle: bool,
    seed: int,
) -> Shots:
    """A task, with examples from a file of token lines.

    Raises CheckpointError for a template, TokenError for a line of the examples that can't be used.
    """
    from spiritlm_cli.language.tasks import Task
    from spiritlm_cli.language.vocabulary import Vocabulary

    def hear(sound: Path) -> "SpeechSpan":
        from spiritlm_cli.audio.reading import read_audio
        from spiritlm_cli.speech.tokenizer import SpeechTokenizer
        from spiritlm_cli.tokens.timeline import merge_streams

        tokenizer = SpeechTokenizer.load(str(checkpoint.root), expressive=expressive, device=device)
        return merge_streams(tokenizer.encode(read_audio(sound)))

    task = Task.load(name, hear)
    vocabulary = Vocabulary.load(checkpoint.language_model(expressive) / "tokenizer.model")
    examples = []
    for line in read_input([path], checkpoint) if path else ():
        try:
            task.prompt(line.line, [line.line]).encode(vocabulary, None)
        except TokenError as error:
            raise TokenError(line.reason(error)) from None
        examples.append(line.line)
    if count is not None and count > len(examples):
        raise TokenError(f"{path}: {len(examples)} examples, not the {count} of --shots")
    return Shots(task, examples, count, shuffle, seed)
