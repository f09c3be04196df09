"""What the tasks that the language model answers have in common: its examples, and what results say of prompts."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from spiritlm_cli.errors import CheckpointError, ManifestError
from spiritlm_cli.evaluation.hypotheses import find_text, read_texts, warn_unknown_ids
from spiritlm_cli.jobs.evaluations.evaluation import BadItem, Item
from spiritlm_cli.jobs.few_shot import LoadTokenizer, read_examples
from spiritlm_cli.jobs.options.evaluate_generation import AnsweredOptions
from spiritlm_cli.language.few_shot import Example, FewShot, load_task
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.language.tasks import Task, load_template

ItemType = TypeVar("ItemType", bound=Item)
ReadExamples = Callable[[Task, LoadTokenizer], list[Example]]


def load_prompts(
    options: AnsweredOptions,
    to: Literal["text", "speech"],
    tokenizer: LoadTokenizer,
    read: ReadExamples | None = None,
) -> FewShot | None:
    """Load the form of the prompts and the examples; None if an item is asked alone.

    to: modality of the answers. read: reads the examples if options name none. Raises CheckpointError, also for a form
    with other answers; TokenError and ManifestError for examples.
    """
    if options.default_form is None:
        return None
    if load_template(options.default_form)[1].to != to:
        raise CheckpointError(f"{options.default_form}: the answers of this form are not {to}")
    task = load_task(options.default_form, options.checkpoint, options.expressive, options.device)
    examples: list[Example] = []
    if options.shots == 0:
        pass
    elif options.examples:
        examples = read_examples(options.examples, task, options.checkpoint, options.expressive, tokenizer)
    elif read:
        examples = read(task, tokenizer)
    return FewShot(task, examples, options.shots, options.shuffle, options.seed)


def with_stops(sampling: Sampling, few_shot: FewShot | None, seed: int) -> Sampling:
    """The sampling of a task with the stop conditions of its form."""
    sampling = replace(sampling, seed=seed)
    return few_shot.task.add_stops(sampling) if few_shot else sampling


def prompt_facts(options: AnsweredOptions, pool: str | None, length: str) -> dict[str, Any]:
    """What a result says of its prompts. Raises CheckpointError for a template.

    pool: name of the examples, None if there are none. length: limit on the tokens of answers unless one is given.
    """
    form = options.default_form
    template = load_template(form)[1] if form else None
    facts: dict[str, Any] = {"prompts": Path(form).name if form else "the item alone", "shots": 0}
    if template and pool is not None and options.shots != 0:
        order = f"drawn for each item, seed {options.seed}" if options.shuffle else "the first ones"
        facts |= {"shots": options.shots or template.shots, "examples of": f"{pool}, {order}"}
    limit = options.context or (template.context if template else None)
    context = f"{limit}, or the model's if that is less" if limit else "the model's"
    return facts | {"context": context, "tokens at most": options.max_new_tokens or length}


def with_outputs(
    items: Sequence[ItemType | BadItem], find: Callable[[str], object]
) -> list[ItemType | BadItem]:
    """The items, with a BadItem in place of each that has no output. find: raises ManifestError for such an id."""

    def checked(item: ItemType | BadItem) -> ItemType | BadItem:
        try:
            find(item.id)
        except ManifestError as error:
            return item if isinstance(item, BadItem) else BadItem(item.id, item.source, error)
        return item

    return [checked(item) for item in items]


def with_texts(items: Sequence[ItemType | BadItem], path: Path) -> list[ItemType | BadItem]:
    """The same for texts in a file, with a warning of those that are of no item."""
    texts = read_texts(path)
    warn_unknown_ids(texts, [item.id for item in items], path)
    return with_outputs(items, partial(find_text, texts, path))
