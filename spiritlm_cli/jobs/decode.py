"""Token lines to audio: complete lines in batches, and a line that is still being written as it arrives."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from spiritlm_cli.batching import Outcome
from spiritlm_cli.console import notify, one_line
from spiritlm_cli.errors import SpiritLMError, TokenError
from spiritlm_cli.jobs.audio_sink import AudioFormat, AudioSink, FileSink, FolderSink
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
        identity = options.checkpoint.identity
        folder, options = OutputFolder.open(
            "decode", options, Path(options.output), f".{options.format}", identity
        )
        sink = FolderSink(folder, audio_format)
    else:
        sink = FileSink(options.output, options.concat, audio_format)
    checkpoint = options.checkpoint
    count = 0
    with ExitStack() as stack:
        failures = stack.enter_context(Failures(options.on_error, options.errors))
        texts = stack.enter_context(LineWriter(options.text_out)) if options.text_out else None
        stack.enter_context(sink)
        progress = stack.enter_context(Progress("lines"))
        # What goes into one stream can be played while it is written.
        read = read_input if options.to_folder else read_streaming
        written: set[int] = set()
        lines = _find_written(read(options.files or ("-",), checkpoint), sink, written)
        decode = DecodeCompute(options).load()
        for line, outcome in decode(lines, lambda line: line.index in written):
            failed = line.index not in written and not _write(line, outcome, sink, failures, progress)
            written.discard(line.index)
            progress.done(failed=failed)
            _write_text(line, options, texts)
            count += 1
    return Summary(count, failures.count)


def _find_written(lines: Iterable[InputLine], sink: AudioSink, written: set[int]) -> Iterator[InputLine]:
    """Yield lines; the index of each whose audio an interrupted run has written is added to `written`."""
    for line in lines:
        if sink.has(line.name):
            written.add(line.index)
        yield line


def _write(
    line: InputLine, outcome: Outcome[Waveform], sink: AudioSink, failures: Failures, progress: Progress
) -> bool:
    """Write a line's audio. Returns whether it could be decoded."""
    try:
        sink.write(progress.counted(outcome), line.name, streaming=isinstance(line, StreamingInput))
    except SpiritLMError as error:
        failures.add(line, error)
        return False
    return True


def _write_text(line: InputLine, options: DecodeOptions, texts: LineWriter | None) -> None:
    """Write the text of what is decoded, on one line; nothing where the line is not well formed."""
    try:
        sequence = line.line.split()[1] if options.start == "continuation" else line.sequence
        text = " ".join(sequence.text.split())
    except TokenError:
        text = ""
    if texts:
        texts.write(OutputLine(text, line.id))
    elif text:
        notify(one_line(text if line.id is None else f"{line.id}: {text}"))


Decode = Callable[
    [Iterable[InputLine], Callable[[InputLine], bool]], Iterator[tuple[InputLine, Outcome[Waveform]]]
]


@dataclass(frozen=True)
class DecodeCompute:
    """Lines to the blocks of their audio."""

    options: DecodeOptions

    def load(self) -> Decode:
        """Load the vocoder. Raises CheckpointError; SpiritLMError for a voice or style that it does not have.

        Returns a function of lines and of a predicate: whether a line is not to be decoded.
        """
        options = self.options
        vocoder = Vocoder.load(
            options.model, options.expressive, options.device, options.dtype, options.compile
        )
        # Looked up first: no line is to blame for a voice that isn't there.
        voice = vocoder.voices.speaker_index(options.speaker)
        vocoder.voices.style_index(options.style)
        return _Decoder(vocoder, voice, options).decode


@dataclass(frozen=True)
class _Decoder:
    vocoder: Vocoder
    voice: int
    options: DecodeOptions

    def decode(
        self, lines: Iterable[InputLine], skipped: Callable[[InputLine], bool]
    ) -> Iterator[tuple[InputLine, Outcome[Waveform]]]:
        """Lines in order, each with its outcome, which yields blocks and raises TokenError."""
        lines = iter(lines)
        streaming: list[StreamingInput] = []

        def complete() -> Iterator[InputLine]:
            for line in lines:
                if isinstance(line, StreamingInput):
                    streaming.append(line)
                    return
                yield line

        def windows(line: InputLine) -> list[Window]:
            return [] if skipped(line) else self._windows(line)

        while True:
            yield from self.vocoder.synthesize_stream(complete(), windows, self.options.batch_seconds)
            if not streaming:
                return
            # The thread that read ahead has ended: what follows is read here.
            line = streaming.pop()
            yield line, Outcome(self._follow(line))

    def _windows(self, line: InputLine) -> list[Window]:
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
