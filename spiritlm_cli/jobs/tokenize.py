"""Audio to token lines."""

import json
import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial

from spiritlm_cli.batching import Outcome
from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.jobs.codecs import CLIPS, RESULTS
from spiritlm_cli.jobs.compute import Compute, Function
from spiritlm_cli.jobs.executor import computed
from spiritlm_cli.jobs.inputs import Inputs
from spiritlm_cli.jobs.options.tokenize import TokenizeOptions
from spiritlm_cli.jobs.output import OutputLine, Result, data_only, header_of
from spiritlm_cli.jobs.run import Outcomes, Run, Summary, settle
from spiritlm_cli.manifests.clip import BadClip, Clip
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.sequence import Sequence
from spiritlm_cli.tokens.timeline import StreamMerger, merge_streams
from spiritlm_cli.tokens.units import Units
from spiritlm_cli.tokens.writer import format_sequence

__all__ = ["TokenizeOptions", "run"]

_RATE = 25  # phonetic units a second


def run(options: TokenizeOptions) -> Summary:
    """Tokenize clips. Returns how many, and how many could not be used.

    Raises OptionError, SpiritLMError for what ends the run, and with `on_error="fail"` the error of the first clip
    that can't be used.
    """
    options.check()
    settled = settle("tokenize", options)
    if settled.complete:
        return Summary()
    options = settled.options
    inputs = Inputs.of(options)
    ids = inputs.several if options.ids is None else options.ids
    with Run(settled, ids=ids, total=inputs.count) as output, data_only():
        if options.header and inputs.first:
            output.write_header(header_of(options.checkpoint))
        clips = output.remaining(inputs.clips())
        if options.stream:
            _write_stream(output, clips, options)
        else:
            output.write_all(
                computed(TokenizeCompute(options), clips, options.ray),
                lambda clip: [_line(clip, None, options)],
            )
    return output.summary


@dataclass(frozen=True)
class TokenizeCompute(Compute[TokenizeOptions, Clip | BadClip, Result]):
    """Clips to their lines."""

    item_codec = CLIPS
    result_codec = RESULTS

    @contextmanager
    def load(self) -> Iterator[Function[Clip | BadClip, Result]]:
        """Load the tokenizer. Raises CheckpointError."""
        yield partial(self._compute, _load(self.options))

    def _compute(
        self, tokenizer: SpeechTokenizer, clips: Iterable[Clip | BadClip]
    ) -> Outcomes[Clip | BadClip]:
        with closing(_encoded(tokenizer, clips, self.options)) as encoded:
            for clip, outcome in encoded:
                yield clip, outcome.map(partial(self._result, clip))

    def _result(self, clip: Clip | BadClip, units: Units) -> Result:
        return Result((_line(clip, units, self.options),), len(units.hubert) / _RATE)


def _load(options: TokenizeOptions) -> SpeechTokenizer:
    return SpeechTokenizer.load(
        options.checkpoint, options.expressive, options.f0, options.device, options.dtype, options.compile
    )


def _encoded(
    tokenizer: SpeechTokenizer, clips: Iterable[Clip | BadClip], options: TokenizeOptions
) -> Generator[tuple[Clip | BadClip, Outcome[Units]], None, None]:
    return tokenizer.encode_stream(
        clips,
        channel=options.channel,
        batch_seconds=options.batch_seconds,
        workers=options.workers,
        stream=options.stream,
    )


def _line(clip: Clip | BadClip, units: Units | None, options: TokenizeOptions) -> OutputLine:
    if options.format == "jsonl":
        return OutputLine(_to_json(clip, units, with_id=options.ids is not False), whole=True)
    spans = [] if units is None else [merge_streams(units, options.keep_repeats)]
    return OutputLine(format_sequence(Sequence.of(spans)), clip.id)


def _to_json(clip: Clip | BadClip, units: Units | None, with_id: bool) -> str:
    """One object with the key names and the spelling of the published tokenizer."""
    fields = {"id": clip.id} if with_id else {}
    if isinstance(clip, Clip):
        # The bytes of a path need not be UTF-8; JSON must be.
        fields["audio"] = os.fsencode(clip.source).decode(errors="replace")
    for name in ("hubert", "pitch", "style"):
        stream = getattr(units, name, None)
        if stream is not None:
            fields[name] = " ".join(map(str, stream.tolist()))
    return json.dumps(fields, ensure_ascii=False)


def _write_stream(output: Run, clips: Iterator[Clip | BadClip], options: TokenizeOptions) -> None:
    """Write each clip's units window by window."""
    with closing(_encoded(_load(options), clips, options)) as encoded:
        for clip, outcome in encoded:
            failed = not _write_windows(output, clip, outcome, options.keep_repeats)
            output.finish_input(clip, 1)
            output.progress.advance(failed=failed)


def _write_windows(output: Run, clip: Clip | BadClip, outcome: Outcome[Units], keep_repeats: bool) -> bool:
    """Write a clip's line as its windows are encoded. Returns whether all of them could be."""
    merger = StreamMerger(keep_repeats)
    begun, error = False, None
    try:
        for units in outcome:
            if not begun:
                output.writer.begin(clip.id)
                output.writer.write_part("[SPEECH]")
                begun = True
            output.progress.add_seconds(len(units.hubert) / _RATE)
            output.writer.write_part("".join(map(str, merger.add(units))))
    except SpiritLMError as raised:
        error = raised
    finally:
        # A line that was begun is ended, whatever happens.
        if begun:
            output.writer.write_text("".join(map(str, merger.flush())))
    if error is None:
        return True
    output.failures.add(clip, error)
    if not begun:
        output.writer.write(OutputLine("", clip.id))
    return False
