"""Token lines to audio: complete lines in batches, and a line that is still being written as it arrives."""

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from spiritlm_cli.batching import Outcome
from spiritlm_cli.console import is_quiet, write_message
from spiritlm_cli.distributed.messages import Codec, to_json
from spiritlm_cli.errors import SpiritLMError, TokenError, drop_frames
from spiritlm_cli.jobs.audio_sink import AudioFormat, AudioSink, FileSink, FolderSink
from spiritlm_cli.jobs.codecs import WAVEFORMS, line_fields, line_from_fields
from spiritlm_cli.jobs.compute import Compute, Function
from spiritlm_cli.jobs.executor import computed
from spiritlm_cli.jobs.failures import Failures
from spiritlm_cli.jobs.folder import OutputFolder
from spiritlm_cli.jobs.lines import InputLine, read_input
from spiritlm_cli.jobs.options.decode import DecodeOptions
from spiritlm_cli.jobs.output import LineWriter, OutputLine
from spiritlm_cli.jobs.progress import Progress
from spiritlm_cli.jobs.run import Summary
from spiritlm_cli.jobs.streaming_lines import StreamingInput, read_streaming
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.tokens.sequence import Sequence
from spiritlm_cli.vocoder.vocoder import Vocoder
from spiritlm_cli.vocoder.windows import Window

__all__ = ["DecodeOptions", "run"]


@dataclass(frozen=True)
class FolderLine(InputLine):
    """A line whose audio goes to a file of its own. written: an interrupted run has written the file."""

    written: bool = False

    @classmethod
    def of(cls, line: InputLine, written: bool) -> "FolderLine":
        """The line, with `written`."""
        return cls(line.source, line.line_number, line.index, line.id, line.content, written)


def _encode_line(line: FolderLine) -> bytes:
    return to_json({**line_fields(line), "written": line.written})


def _decode_line(message: bytes) -> FolderLine:
    fields = json.loads(message)
    return FolderLine.of(line_from_fields(fields), fields["written"])


def run(options: DecodeOptions) -> Summary:
    """Decode token lines to audio. Returns how many lines, and how many could not be decoded.

    Raises OptionError, SpiritLMError for what ends the run, and with `on_error="fail"` the error of the first line
    that can't be decoded.
    """
    options.check()
    audio_format = AudioFormat(options.sample_rate, options.bits == "float")
    sink: AudioSink
    # Wrong names are named before a model is loaded.
    if options.to_folder:
        folder, options = OutputFolder.open("decode", options, Path(options.output), f".{options.format}")
        sink = FolderSink(folder, audio_format)
    else:
        sink = FileSink(options.output, options.concat, audio_format)
    checkpoint = options.checkpoint
    count = 0
    with ExitStack() as stack:
        failures = stack.enter_context(Failures(options.on_error, options.errors))
        texts = stack.enter_context(LineWriter(options.text_out)) if options.text_out else None
        stack.enter_context(sink)
        progress = stack.enter_context(Progress("lines", output=options.output))
        files = options.files or ("-",)
        lines: Iterator[InputLine]
        if options.to_folder:
            lines = (FolderLine.of(line, sink.has(line.name)) for line in read_input(files, checkpoint))
        else:
            # What goes into one stream can be played while it is written.
            lines = read_streaming(files, checkpoint)
        outcomes = stack.enter_context(closing(computed(DecodeCompute(options), lines, options.ray)))
        for line, outcome in outcomes:
            empty = line.is_unused_input
            failed = not empty and not _write(line, outcome, sink, failures, progress)
            progress.advance(failed, empty)
            _write_text(line, options, texts)
            count += 1
    return Summary(count, failures.count)


def _write(
    line: InputLine, outcome: Outcome[Waveform], sink: AudioSink, failures: Failures, progress: Progress
) -> bool:
    """Write a line's audio, unless it is written. Returns whether it could be decoded."""
    if _is_written(line):
        return True
    try:
        sink.write(progress.measured(outcome), line.name, streaming=isinstance(line, StreamingInput))
    except SpiritLMError as error:
        failures.add(line, error)
        return False
    return True


def _is_written(line: InputLine) -> bool:
    return isinstance(line, FolderLine) and line.written


def _write_text(line: InputLine, options: DecodeOptions, texts: LineWriter | None) -> None:
    """Write the text of what is decoded, on one line; nothing where the line is not well formed."""
    try:
        sequence = line.line.split()[1] if options.start == "continuation" else line.sequence
        text = " ".join(sequence.text.split())
    except TokenError as error:
        drop_frames(error)
        text = ""
    if texts:
        texts.write(OutputLine(text, line.id))
    elif text and not is_quiet():
        write_message(text if line.id is None else f"{line.id}: {text}", prefix="")


@dataclass(frozen=True)
class DecodeCompute(Compute[DecodeOptions, InputLine, Waveform]):
    """Lines to the blocks of their audio."""

    item_codec = Codec(_encode_line, _decode_line)
    result_codec = WAVEFORMS
    task_size = 16  # the audio of a task is in memory at once

    @contextmanager
    def load(self) -> Iterator[Function[InputLine, Waveform]]:
        """Load the vocoder. Raises CheckpointError; SpiritLMError for a voice or style that it does not have."""
        options = self.options
        vocoder = Vocoder.load(
            options.checkpoint, options.expressive, options.device, options.dtype, options.compile
        )
        # Looked up first: no line is to blame for a voice that isn't there.
        voice = vocoder.voices.speaker_index(options.speaker)
        vocoder.voices.style_index(options.style)
        yield _Decoder(vocoder, voice, options).decode


@dataclass(frozen=True)
class _Decoder:
    vocoder: Vocoder
    voice: int
    options: DecodeOptions

    def decode(self, lines: Iterable[InputLine]) -> Iterator[tuple[InputLine, Outcome[Waveform]]]:
        """Lines in order, each with its outcome, which yields blocks and raises TokenError."""
        lines = iter(lines)
        streaming: list[StreamingInput] = []

        def complete() -> Iterator[InputLine]:
            for line in lines:
                if isinstance(line, StreamingInput):
                    streaming.append(line)
                    return
                yield line

        while True:
            yield from self.vocoder.synthesize_stream(complete(), self._windows, self.options.batch_seconds)
            if not streaming:
                return
            # The thread that read ahead has ended: what follows is read here.
            line = streaming.pop()
            yield line, Outcome(self._follow(line))

    def _windows(self, line: InputLine) -> list[Window]:
        if _is_written(line):
            return []
        prompt, sequence = None, line.sequence
        if self.options.start == "continuation":
            prompt, sequence = line.line.split()
        return self.vocoder.split_windows(
            sequence, self.voice, self.options.style, self.options.durations, prompt=prompt
        )

    def _follow(self, line: StreamingInput) -> Iterator[Waveform]:
        prompt: Sequence | None = None
        pieces: Iterable[Sequence] = (piece.sequence for piece in line.stream)
        if self.options.start == "continuation":
            prompt, pieces = line.stream.split()
        yield from self.vocoder.decode_incremental(
            pieces, self.voice, self.options.style, self.options.durations, prompt=prompt
        )
