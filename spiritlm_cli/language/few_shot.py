"""Few-shot prompts: a task, its solved examples, and how a prompt chooses among them."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from spiritlm_cli.audio.reading import read_audio
from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.errors import TokenError
from spiritlm_cli.language.prompt import Prompt
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.language.tasks import Task
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.sequence import Line, SpeechSpan
from spiritlm_cli.tokens.timeline import merge_streams


@dataclass(frozen=True, eq=False)
class Example:
    """A solved example: the id and the speaker of its clip, None if unknown, and a function that returns its line."""

    id: str | None
    speaker: str | None
    load: Callable[[], Line]

    @classmethod
    def of(cls, line: Line) -> "Example":
        """An example whose line is known; its speaker is not."""
        return cls(line.id, None, lambda: line)


@dataclass(frozen=True, eq=False)
class FewShot:
    """A task with its solved examples.

    shots: number of examples in a prompt; None is the task's number, or all there are if that is less. shuffle: draw
    the examples of each line at random instead of taking the first ones. seed: of that draw.
    """

    task: Task
    examples: Sequence[Example]
    shots: int | None = None
    shuffle: bool = False
    seed: int = 0

    def sampling(self, sampling: Sampling, max_new_tokens: int | None, greedy: bool | None) -> Sampling:
        """Add the task's stop conditions to `sampling`, and its defaults where an argument is None."""
        template = self.task.template
        default_tokens = None if sampling.limits_seconds else template.max_new_tokens
        return replace(
            self.task.add_stops(sampling),
            max_new_tokens=max_new_tokens or default_tokens,
            greedy=template.greedy if greedy is None else greedy,
        )

    def prompt(self, question: Line, key: str, speaker: str | None = None) -> Prompt:
        """Build the prompt of a line.

        key: name of the line in the random state. speaker: of the line; examples of that speaker are not used.
        Raises TokenError for a line that does not suit the task, and if there are too few other examples.
        """
        examples = self.choose(question, key, speaker)
        return self.task.build_prompt(question, [example.load() for example in examples])

    def choose(self, question: Line, key: str, speaker: str | None = None) -> list[Example]:
        """Choose the examples of a line's prompt; see `prompt`. Raises TokenError if there are too few."""
        rng = random.Random(f"{self.seed} {key}") if self.shuffle else None
        others = [example for example in self.examples if speaker is None or example.speaker != speaker]
        try:
            return self.task.choose_examples(others, self.shots, question, rng)
        except TokenError as error:
            own = len(self.examples) - len(others)
            raise TokenError(f"{error}; {own} more are of its speaker" if own else str(error)) from None

    def context(self, model_context: int) -> int:
        """The most tokens of a prompt and its answer together: the task's, or the model's if that is less."""
        return min(self.task.template.context or model_context, model_context)


def fit_examples(prompt: Prompt, vocabulary: Vocabulary, room: int) -> Prompt:
    """Keep the first examples of a prompt, as many as fit into `room` tokens beside its line."""
    fitting = prompt.encode(vocabulary).fitting_examples(room)
    return replace(prompt, examples=prompt.examples[:fitting])


def load_task(name: str, checkpoint: Checkpoint, expressive: bool, device: str) -> Task:
    """Load a task, and convert its sounds to units with the checkpoint's speech tokenizer.

    name: a task of the package, or the file of a template. Raises CheckpointError and AudioError.
    """

    def encode_sound(path: Path) -> SpeechSpan:
        tokenizer = SpeechTokenizer.load(checkpoint, expressive=expressive, device=device)
        return merge_streams(tokenizer.encode(read_audio(path)))

    return Task.load(name, encode_sound)
