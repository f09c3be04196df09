"""Token lines to their continuations."""

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial

from spiritlm_cli.batching import Outcome
from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.console import log, warn_once
from spiritlm_cli.errors import OptionError, SpiritLMError, TokenError
from spiritlm_cli.jobs.codecs import LINES, RESULTS
from spiritlm_cli.jobs.compute import Compute, Function
from spiritlm_cli.jobs.executor import computed
from spiritlm_cli.jobs.few_shot import load_few_shot
from spiritlm_cli.jobs.lines import InputLine, copy_ids, read_input, read_prompt
from spiritlm_cli.jobs.options.generate import GenerateOptions
from spiritlm_cli.jobs.options.shared import drawn_seed
from spiritlm_cli.jobs.output import OutputLine, Result, header_of
from spiritlm_cli.jobs.run import Outcomes, Run, Summary, settle
from spiritlm_cli.language.few_shot import FewShot, fit_examples
from spiritlm_cli.language.generator import GenerationRequest, TokenGenerator
from spiritlm_cli.language.grammar import RequestedModality
from spiritlm_cli.language.hypothesis import Generation, Hypothesis
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.prompt import Prompt
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.language.vocabulary_loading import has_text
from spiritlm_cli.tokens.sequence import Line, Sequence, Span
from spiritlm_cli.tokens.writer import format_line, format_pieces

__all__ = ["GenerateOptions", "run"]


def run(options: GenerateOptions) -> Summary:
    """Continue lines of tokens. Returns how many, and how many could not be used.

    Raises OptionError, SpiritLMError for what ends the run, and with `on_error="fail"` the error of the first line
    that can't be used.
    """
    options.check()
    settled = settle("generate", options)
    if settled.complete:
        return Summary()
    # The journal records the seed that was drawn, so that a resumed run draws the same.
    options = replace(settled.options, seed=drawn_seed(settled.options.seed))
    settled, checkpoint = replace(settled, options=options), options.checkpoint
    # names wrong values before a model is loaded
    sampling_of(options)
    _check_modality(options, checkpoint)
    with Run(settled, ids=options.ids, what="lines") as output:
        lines = output.remaining(_input(options, checkpoint, output))
        if options.stream:
            _write_stream(output, lines, LoadedGeneration.load(options))
        else:
            output.write_all(
                computed(GenerateCompute(options), lines, options.ray),
                lambda line: _empty(line, options),
                lambda line: line.is_unused_input,
            )
    return output.summary


def _input(options: GenerateOptions, checkpoint: Checkpoint, output: Run) -> Iterator[InputLine]:
    if options.prompt is not None:
        return read_prompt(options.prompt)
    return read_input(options.sources, checkpoint, lambda: output.write_header(header_of(checkpoint)))


def _check_modality(options: GenerateOptions, checkpoint: Checkpoint) -> None:
    """Raise OptionError if the language model can't generate what is wanted, CheckpointError if there is none."""
    if options.to == "text" and not has_text(checkpoint.language_model(options.expressive)):
        raise OptionError("the language model has speech units alone: it can't generate text", "--to")


def sampling_of(options: GenerateOptions) -> Sampling:
    """How tokens are sampled. Raises OptionError for values that can't be used."""
    try:
        return Sampling(
            temperature=options.temperature,
            top_p=options.top_p,
            top_k=options.top_k,
            min_p=options.min_p,
            repetition_penalty=options.repetition_penalty,
            greedy=bool(options.greedy),
            seed=options.seed or 0,
            max_new_tokens=options.max_new_tokens,
            max_seconds=options.max_seconds,
            min_seconds=options.min_seconds,
            stop=options.stop,
            sentence=options.sentence,
        )
    except ValueError as error:
        raise OptionError(str(error)) from None


@dataclass(frozen=True)
class LoadedGeneration:
    """The model and the task of a run."""

    options: GenerateOptions
    lm: TokenGenerator
    sampling: Sampling
    few_shot: FewShot | None

    @classmethod
    def load(cls, options: GenerateOptions) -> "LoadedGeneration":
        """Raises CheckpointError; TokenError for examples that can't be used."""
        sampling, few_shot = sampling_of(options), None
        if options.task:
            few_shot = load_few_shot(options)
            sampling = few_shot.sampling(sampling, options.max_new_tokens, options.greedy)
        return cls(options, _load_engine(options), sampling, few_shot)

    @property
    def to(self) -> RequestedModality:
        """The modality of the continuations."""
        return self.few_shot.task.to if self.few_shot else self.options.to or "same"

    def prompt(self, line: InputLine) -> Prompt:
        """The prompt for a line, with as many examples as fit unless their number is given. Raises TokenError."""
        if not self.few_shot:
            return Prompt(line.line)
        prompt = self.few_shot.prompt(line.line, line.name)
        if self.options.shots is not None or self.options.overflow == "cut":
            return prompt
        context = self.few_shot.context(self.lm.context_length)
        room = context - min(self.sampling.max_new_tokens or context // 2, context // 2)
        fitting = fit_examples(prompt, self.lm.vocabulary, room)
        if len(fitting.examples) < len(prompt.examples):
            whose = "model's" if context == self.lm.context_length else "task's"
            warn_once(
                f"{len(fitting.examples)} of {len(prompt.examples)} examples fit into the {whose} context of {context} "
                "tokens, beside the longest line so far"
            )
        return fitting

    def request(self, line: InputLine, key: str) -> GenerationRequest:
        """What to generate for a line. key: sets its random numbers apart. Raises TokenError."""
        return GenerationRequest(self.prompt(line), self.to, self.sampling, key, self.options.overflow)

    def cleaned(self, spans: Iterable[Span]) -> Iterable[Span]:
        """The spans of an answer in the form of the task."""
        return self.few_shot.task.normalize_answer(spans) if self.few_shot else spans


def _load_engine(options: GenerateOptions) -> TokenGenerator:
    if options.engine == "vllm":
        from spiritlm_cli.language.vllm import VllmGenerator  # an extra

        return VllmGenerator.load(options.checkpoint, options.expressive, options.dtype)
    return LanguageModel.load(
        options.checkpoint,
        options.expressive,
        options.device,
        options.dtype,
        options.device_map,
        options.quantize,
    )


@dataclass(frozen=True)
class GenerateCompute(Compute[GenerateOptions, InputLine, Result]):
    """Lines to their continuations."""

    item_codec = LINES
    result_codec = RESULTS

    @contextmanager
    def load(self) -> Iterator[Function[InputLine, Result]]:
        """Load the language model. Raises CheckpointError; TokenError for examples that can't be used."""
        yield partial(self._compute, LoadedGeneration.load(self.options))

    def _compute(self, loaded: LoadedGeneration, lines: Iterable[InputLine]) -> Outcomes[InputLine]:
        # Random numbers go by the line's name, so that its continuation doesn't depend on other lines.
        stream = loaded.lm.generate_stream(
            lines,
            lambda line: loaded.request(line, line.name),
            self.options.num_samples,
            self.options.batch_size,
        )
        with closing(stream):
            for line, outcome in stream:
                yield line, Outcome.of(partial(_result, loaded, line, outcome))


def _result(loaded: LoadedGeneration, line: InputLine, generations: Iterable[Generation]) -> Result:
    options = loaded.options
    lines: list[OutputLine] = []
    warnings: list[str] = []
    ids = _ids(line, options)
    for generation in generations:
        if not lines and generation.truncated:
            warnings.append(_cut_warning(line, generation.truncated))
        added = tuple(loaded.cleaned(generation.sequence.spans))
        start = line.sequence if options.echo else Sequence()
        whole = Line(Sequence.of((*start.spans, *added)), prompt=start if options.echo else None)
        lines.append(OutputLine(format_line(whole), ids[len(lines)]))
    return Result(tuple(lines), warnings=tuple(warnings))


def _ids(line: InputLine, options: GenerateOptions) -> list[str | None]:
    return [line.id] if options.num_samples == 1 else [*copy_ids(line.name, options.num_samples)]


def _empty(line: InputLine, options: GenerateOptions) -> list[OutputLine]:
    return [OutputLine("", id) for id in _ids(line, options)]  # noqa: A001


def _cut_warning(line: InputLine, tokens: int) -> str:
    message = line.reason(TokenError(f"the prompt is too long; its first {tokens} tokens are left out"))
    return message if line.id is None else f"{line.id}: {message}"


def _write_stream(output: Run, lines: Iterable[InputLine], loaded: LoadedGeneration) -> None:
    """Write continuations one after another, token by token as they are generated."""
    for line in lines:
        if line.is_unused_input:
            output.write(line, _empty(line, loaded.options))
            output.progress.advance(empty=True)
            continue
        failed, written = False, 0
        try:
            for sample, id in enumerate(_ids(line, loaded.options)):  # noqa: A001
                hypothesis = loaded.lm.start(loaded.request(line, f"{line.name}#{sample}"))
                if not sample and hypothesis.truncated:
                    log.warning("%s", _cut_warning(line, hypothesis.truncated))
                written += 1
                _stream_line(output, loaded, line, hypothesis, id)
        except SpiritLMError as error:
            output.failures.add(line, error)
            failed = True
            for empty in _empty(line, loaded.options)[written:]:
                output.writer.write(empty)
        output.finish_input(line, loaded.options.num_samples)
        output.progress.advance(failed=failed)


def _stream_line(
    output: Run,
    loaded: LoadedGeneration,
    line: InputLine,
    hypothesis: Hypothesis,
    id: str | None,  # noqa: A002
) -> None:
    output.writer.begin(id)
    spans = loaded.cleaned(loaded.lm.stream(hypothesis))
    try:
        for text in format_pieces(spans, line.sequence if loaded.options.echo else None):
            output.writer.write_part(text)
    finally:
        # A line that was begun is ended, whatever happens.
        output.writer.write_text("")
