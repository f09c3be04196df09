"""Examples of a few-shot task, read from token lines."""

from typing import TYPE_CHECKING

from spiritlm_cli.errors import TokenError
from spiritlm_cli.jobs.lines import read_input

if TYPE_CHECKING:
    from spiritlm_cli.checkpoints import Checkpoint
    from spiritlm_cli.language.few_shot import FewShot


def load_few_shot(
    name: str,
    path: str | None,
    shots: int | None,
    checkpoint: "Checkpoint",
    expressive: bool,
    device: str,
    shuffle: bool,
    seed: int,
) -> "FewShot":
    """Load a task, and its examples from a file of token lines.

    Raises CheckpointError for a template, TokenError for an example that can't be used or fewer examples than `shots`.
    """
    from spiritlm_cli.language.few_shot import FewShot, load_task
    from spiritlm_cli.language.vocabulary import Vocabulary

    task = load_task(name, checkpoint, expressive, device)
    vocabulary = Vocabulary.load(checkpoint.language_model(expressive) / "tokenizer.model")
    examples = []
    for line in read_input([path], checkpoint) if path else ():
        try:
            task.build_prompt(line.line, [line.line]).encode(vocabulary)
        except TokenError as error:
            raise TokenError(line.reason(error)) from None
        examples.append(line.line)
    if shots is not None and shots > len(examples):
        raise TokenError(f"{path}: {len(examples)} examples, not the {shots} of --shots")
    return FewShot(task, examples, shots, shuffle, seed)
