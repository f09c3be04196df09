"""Audio, or stored units, and words to sequences that switch between speech and text."""

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial

from spiritlm_cli.alignment.pool import available_cpus
from spiritlm_cli.alignment.sources import WordTimes
from spiritlm_cli.batching import Outcome
from spiritlm_cli.errors import TokenError
from spiritlm_cli.interleaving.interleave import Utterance, draw_lines
from spiritlm_cli.interleaving.spans import Mode, SpanOptions
from spiritlm_cli.interleaving.utterances import (
    leave_out_untranscribed,
    make_utterance,
    read_utterances,
    restore_units,
)
from spiritlm_cli.jobs.codecs import CLIPS, RESULTS
from spiritlm_cli.jobs.compute import Compute, Function
from spiritlm_cli.jobs.executor import computed
from spiritlm_cli.jobs.explain import spans_table
from spiritlm_cli.jobs.failures import Input
from spiritlm_cli.jobs.inputs import Inputs
from spiritlm_cli.jobs.lines import InputLine, copy_ids, read_input
from spiritlm_cli.jobs.options.interleave import InterleaveOptions
from spiritlm_cli.jobs.options.shared import drawn_seed
from spiritlm_cli.jobs.output import OutputLine, Result, data_only, header_of
from spiritlm_cli.jobs.run import Outcomes, Run, Summary, settle
from spiritlm_cli.manifests.clip import BadClip, Clip
from spiritlm_cli.manifests.labels import drop_labels
from spiritlm_cli.manifests.transcripts import attach_text
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.writer import format_sequence

__all__ = ["InterleaveOptions", "run"]


def run(options: InterleaveOptions) -> Summary:
    """Interleave clips or stored units. Returns how many inputs, and how many could not be used.

    Raises OptionError, SpiritLMError for what ends the run, and with `on_error="fail"` the error of the first input
    that can't be used.
    """
    options.check()
    settled = settle("interleave", options)
    if settled.complete:
        return Summary()
    options = replace(settled.options, seed=drawn_seed(settled.options.seed))
    settled, checkpoint = replace(settled, options=options), options.checkpoint
    inputs = Inputs.of(options, texts=True) if options.has_clips else None
    ids = options.ids
    if ids is None and inputs:
        ids = inputs.several or options.copies > 1
    total = inputs.count if inputs else lambda: None
    with Run(settled, ids=ids, total=total) as output, data_only():
        if options.header and (inputs is None or inputs.first):
            output.write_header(header_of(checkpoint))
        clips = drop_labels(attach_text(inputs.clips()), options.keep_labels) if inputs else None
        if options.tokens is None:
            outcomes = computed(InterleaveCompute(options), output.remaining(clips or ()), options.ray)
            output.write_all(outcomes, partial(_empty, options=options))
        else:
            on_header = None if options.header else partial(output.write_header, header_of(checkpoint))
            lines = read_input([options.tokens], checkpoint, on_header)
            stored = _from_units(lines, clips, options)
            output.write_all(stored, partial(_empty, options=options), lambda line: line.is_unused_input)
    return output.summary


def _word_times(options: InterleaveOptions, cpus: int | None = None) -> WordTimes:
    # Half of the cores align, as the networks use all of them unless they are on a GPU.
    aligner = options.aligner if options.mode == "interleave" and options.aligner != "none" else None
    alignments = None if options.mode == "speech" else options.alignments
    workers = max(1, (cpus or available_cpus()) // 2)
    return WordTimes(alignments, aligner, options.device, workers, options.keep_labels)


@dataclass(frozen=True)
class InterleaveCompute(Compute[InterleaveOptions, Clip | BadClip, Result]):
    """Clips to their lines."""

    item_codec = CLIPS
    result_codec = RESULTS

    @contextmanager
    def load(self) -> Iterator[Function[Clip | BadClip, Result]]:
        """Load the tokenizer and the aligner. Raises CheckpointError, ManifestError."""
        options = self.options
        with _word_times(options, self.cpus) as times:
            tokenizer = None
            if options.mode != "text":
                tokenizer = SpeechTokenizer.load(
                    options.checkpoint, options.expressive, device=options.device
                )
            yield partial(self._compute, tokenizer, times)

    def _compute(
        self, tokenizer: SpeechTokenizer | None, times: WordTimes, clips: Iterable[Clip | BadClip]
    ) -> Outcomes[Clip | BadClip]:
        options = self.options
        utterances = read_utterances(
            clips,
            tokenizer,
            times,
            batch_seconds=options.batch_seconds,
            workers=options.workers,
            measure_gaps=options.mode != "speech",
        )
        with closing(utterances):
            for clip, outcome in utterances:
                yield clip, outcome.map(partial(_result, item=clip, options=options))


def _from_units(
    lines: Iterator[InputLine], clips: Iterator[Clip | BadClip] | None, options: InterleaveOptions
) -> Iterator[tuple[InputLine, Outcome[Result]]]:
    """Each line of stored units with its outcome.

    clips: of the manifest that the lines were made from, in the same order; None where there is no manifest.
    Raises TokenError where a line's id is not that of the clip at its index.
    """
    with _word_times(options) as times:
        for line in lines:
            clip = next(clips, None) if clips else None
            if clips and (clip is None or line.id not in (None, clip.id)):
                there = f"has {clip.id} there" if clip else "ends before it"
                raise TokenError(line.reason(TokenError(f"is of {line.name}, but the manifest {there}")))
            outcome = Outcome.of(partial(_stored, line, clip, times))
            if options.mode != "speech":
                sound = clip if isinstance(clip, Clip) else None
                outcome = outcome.map(partial(leave_out_untranscribed, sound=sound))
            yield line, outcome.map(partial(_result, item=line, options=options))
    if clips and (left := next(clips, None)):
        raise TokenError(
            f"the units end where the manifest has {left.id}; there must be as many lines of units as clips"
        )


def _stored(line: InputLine, clip: Clip | BadClip | None, times: WordTimes) -> Utterance:
    if isinstance(clip, BadClip):
        raise clip.error
    clip = clip or Clip(line.name, line.source)
    return make_utterance(clip.id, restore_units(line.sequence), times.submit(clip).result())


def _result(utterance: Utterance, item: Input, options: InterleaveOptions) -> Result:
    """The lines of an utterance."""
    spans = SpanOptions(Mode(options.mode), options.text_words, options.speech_words, options.keep_repeats)
    seed = options.seed or 0
    lines = list(draw_lines([utterance], spans, seed=seed, copies=options.copies))
    notes = utterance.alignment.notes if utterance.alignment else ()
    table = spans_table(utterance, spans, seed, options.copies) if options.explain else ""
    return Result(
        tuple(OutputLine(format_sequence(line.sequence), _id(line.id, item, options)) for line in lines),
        utterance.seconds,
        tuple(f"{utterance.id}: {note}" for note in notes),
        table,
    )


def _id(id: str | None, item: Input, options: InterleaveOptions) -> str | None:  # noqa: A002
    # A token line that came without an id goes on without one.
    return None if item.id is None and options.copies == 1 else id


def _empty(item: Input, options: InterleaveOptions) -> list[OutputLine]:
    name = item.name if isinstance(item, InputLine) else item.id
    return [OutputLine("", _id(id, item, options)) for id in copy_ids(name, options.copies)]  # noqa: A001
