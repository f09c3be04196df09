"""Examples of a few-shot task, read from token lines."""

from spiritlm_cli.errors import TokenError
from spiritlm_cli.jobs.lines import read_input
from spiritlm_cli.jobs.options.generate import GenerateOptions
from spiritlm_cli.language.few_shot import Example, FewShot, load_task
from spiritlm_cli.language.vocabulary_loading import load_vocabulary


def load_few_shot(options: GenerateOptions) -> FewShot:
    """Load the task that options name, and its examples from a file of token lines.

    Raises CheckpointError for a template, TokenError for an example that can't be used or fewer examples than `shots`.
    """
    if options.task is None:
        raise ValueError("no task is given")
    checkpoint = options.checkpoint
    task = load_task(options.task, checkpoint, options.expressive, options.device)
    vocabulary = load_vocabulary(checkpoint.language_model(options.expressive), checkpoint.text_tokenizer)
    examples = []
    for line in read_input([options.examples], checkpoint) if options.examples else ():
        try:
            task.build_prompt(line.line, [line.line]).encode(vocabulary)
        except TokenError as error:
            raise TokenError(line.reason(error)) from None
        examples.append(Example.of(line.line))
    if options.shots is not None and options.shots > len(examples):
        raise TokenError(f"{options.examples}: {len(examples)} examples, not the {options.shots} of --shots")
    return FewShot(task, examples, options.shots, options.shuffle, options.seed or 0)
