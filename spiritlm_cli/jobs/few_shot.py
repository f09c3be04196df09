"""Examples of a few-shot task, read from token lines, or from recordings and their texts."""

from collections.abc import Callable, Iterable
from functools import cache, partial
from pathlib import Path

from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.errors import AudioError, ManifestError, TokenError
from spiritlm_cli.jobs.lines import read_input
from spiritlm_cli.jobs.options.generate import GenerateOptions
from spiritlm_cli.jobs.options.token_files import has_recordings
from spiritlm_cli.language.few_shot import Example, FewShot, load_task
from spiritlm_cli.language.tasks import Task
from spiritlm_cli.language.vocabulary_loading import load_vocabulary
from spiritlm_cli.manifests.clip import BadClip, Clip
from spiritlm_cli.manifests.transcribed import scan_transcribed
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.sequence import Line, Sequence, TextSpan
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.tokens.units import Units

LoadTokenizer = Callable[[], SpeechTokenizer]


def load_few_shot(options: GenerateOptions) -> FewShot:
    """Load the task that options name, and its examples from a file or a folder.

    Raises CheckpointError for a template, TokenError for an example that can't be used or fewer examples than `shots`.
    """
    if options.task is None:
        raise ValueError("no task is given")
    checkpoint = options.checkpoint
    task = load_task(options.task, checkpoint, options.expressive, options.device)
    examples: list[Example] = []
    if options.examples:
        load = cache(
            partial(SpeechTokenizer.load, checkpoint, expressive=options.expressive, device=options.device)
        )
        examples = read_examples(options.examples, task, checkpoint, options.expressive, load)
    if options.shots is not None and options.shots > len(examples):
        raise TokenError(f"{options.examples}: {len(examples)} examples, not the {options.shots} of --shots")
    return FewShot(task, examples, options.shots, options.shuffle, options.seed or 0)


def read_examples(
    source: Path | str, task: Task, checkpoint: Checkpoint, expressive: bool, tokenizer: LoadTokenizer
) -> list[Example]:
    """Read the examples of a task.

    source: a file of token lines, or recordings with texts, as `scan_transcribed` reads them. Recordings are tokenized
    when a prompt needs them. Raises TokenError for a token line that can't be used, ManifestError for an invalid clip.
    """
    if has_recordings(source):
        return clip_examples(scan_transcribed(Path(source)), tokenizer)
    vocabulary = load_vocabulary(checkpoint.language_model(expressive), checkpoint.text_tokenizer)
    examples = []
    for line in read_input([str(source)], checkpoint):
        try:
            task.build_prompt(line.line, [line.line]).encode(vocabulary)
        except TokenError as error:
            raise TokenError(line.reason(error)) from None
        examples.append(Example.of(line.line))
    return examples


def clip_examples(clips: Iterable[Clip | BadClip], tokenizer: LoadTokenizer) -> list[Example]:
    """Make examples of clips with texts. Raises ManifestError for an invalid clip, and for one without a text."""
    examples = []
    for clip in clips:
        if isinstance(clip, BadClip):
            raise clip.error
        if not clip.text:
            raise ManifestError(f"{clip.id}: has no text, and an example needs one")
        examples.append(Example(clip.id, clip.speaker, cache(partial(_line, clip, tokenizer))))
    return examples


def _line(clip: Clip, tokenizer: LoadTokenizer) -> Line:
    try:
        units: Units = tokenizer().encode(read_clip(clip))
    except AudioError as error:
        raise TokenError(f"the example {clip.id!a}: {error}") from None
    return Line(Sequence.of([merge_streams(units), TextSpan(clip.text or "")]), clip.id)
