"""Token lines to their log-likelihoods: `generate --score`."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice

from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.distributed.messages import Codec, to_json
from spiritlm_cli.errors import TokenError
from spiritlm_cli.jobs.codecs import RESULTS, line_fields, line_from_fields
from spiritlm_cli.jobs.compute import Compute, Function
from spiritlm_cli.jobs.executor import computed
from spiritlm_cli.jobs.lines import InputLine, read_input, read_prompt
from spiritlm_cli.jobs.options.generate import GenerateOptions
from spiritlm_cli.jobs.output import OutputLine, Result
from spiritlm_cli.jobs.run import Outcomes, Run, Summary, settle
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.scoring import Score
from spiritlm_cli.tokens.sequence import Line

__all__ = ["GenerateOptions", "run"]


@dataclass(frozen=True)
class ScoredLine(InputLine):
    """A line to score. context: the line that it follows, if any."""

    context: InputLine | None = None

    @classmethod
    def following(cls, line: InputLine, context: InputLine | None) -> "ScoredLine":
        """A line with its context."""
        return cls(line.source, line.line_number, line.index, line.id, line.content, context)


def _encode_scored(line: ScoredLine) -> bytes:
    context = None if line.context is None else line_fields(line.context)
    return to_json({**line_fields(line), "context": context})


def _decode_scored(message: bytes) -> ScoredLine:
    fields = json.loads(message)
    context = None if fields["context"] is None else line_from_fields(fields["context"])
    return ScoredLine.following(line_from_fields(fields), context)


def run(options: GenerateOptions) -> Summary:
    """Write the log-likelihood, number of tokens and mean of each line. Returns how many, and how many failed.

    Raises OptionError, SpiritLMError for what ends the run, and with `on_error="fail"` the error of the first line
    that can't be used.
    """
    options.check()
    settled = settle("generate --score", options)
    if settled.complete:
        return Summary()
    options, checkpoint = settled.options, settled.options.checkpoint
    with Run(settled, ids=options.ids, what="lines") as output:
        lines = output.remaining(_input(options, checkpoint))
        outcomes = computed(
            ScoreCompute(options), with_contexts(lines, options, checkpoint, output.inputs), options.ray
        )
        output.write_all(outcomes, lambda line: [OutputLine("", line.id)], lambda line: line.is_unused_input)
    return output.summary


def _input(options: GenerateOptions, checkpoint: Checkpoint) -> Iterator[InputLine]:
    return (
        read_prompt(options.prompt) if options.prompt is not None else read_input(options.sources, checkpoint)
    )


def with_contexts(
    lines: Iterator[InputLine], options: GenerateOptions, checkpoint: Checkpoint, skipped: int
) -> Iterator[ScoredLine]:
    """Each line with its context from --given. skipped: lines that an interrupted run has scored.

    Raises TokenError unless there is one context for each line.
    """
    contexts = read_input([options.given], checkpoint) if options.given else None
    if contexts:
        contexts = islice(contexts, skipped, None)
    for line in lines:
        context = next(contexts, None) if contexts else None
        if contexts and context is None:
            raise TokenError(line.reason(TokenError("the lines of --given end before it")))
        yield ScoredLine.following(line, context)
    if contexts and next(contexts, None):
        raise TokenError("--given has more lines than there are to score")


@dataclass(frozen=True)
class ScoreCompute(Compute[GenerateOptions, ScoredLine, Result]):
    """Lines to their scores."""

    item_codec = Codec(_encode_scored, _decode_scored)
    result_codec = RESULTS

    @contextmanager
    def load(self) -> Iterator[Function[ScoredLine, Result]]:
        """Load the language model. Raises CheckpointError."""
        options = self.options
        lm = LanguageModel.load(
            options.checkpoint,
            options.expressive,
            options.device,
            options.dtype,
            options.device_map,
            options.quantize,
        )
        yield partial(_scored, lm)


def _scored(lm: LanguageModel, lines: Iterable[ScoredLine]) -> Outcomes[ScoredLine]:
    for line, outcome in lm.score_stream(lines, lambda line: line.sequence, _context):
        yield line, outcome.map(partial(_result, id=line.id))


def _result(score: Score, id: str | None) -> Result:  # noqa: A002
    return Result((OutputLine(f"{score.log_likelihood:.6f}\t{score.tokens}\t{score.mean:.6f}", id),))


def _context(line: ScoredLine) -> Line | None:
    if line.context is None:
        return None
    try:
        return line.context.line
    except TokenError as error:
        raise TokenError(f"--given, {line.context.reason(error)}") from None
