"""Clips and token lines to tables, statistics, plots, an HTML page and TextGrids."""

import io
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from spiritlm_cli.alignment.sources import WordTimes
from spiritlm_cli.audio.reading import read_audio
from spiritlm_cli.batching import Outcome
from spiritlm_cli.console import log
from spiritlm_cli.errors import AlignmentError, ManifestError, SpiritLMError
from spiritlm_cli.inspection.inspected import Inspected
from spiritlm_cli.inspection.inspector import Inspector
from spiritlm_cli.jobs.failures import Failures
from spiritlm_cli.jobs.inspect_views import View, views_of
from spiritlm_cli.jobs.lines import InputLine, announce, read_input
from spiritlm_cli.jobs.options.inspect import InspectOptions
from spiritlm_cli.jobs.output import data_only
from spiritlm_cli.jobs.progress import Progress
from spiritlm_cli.jobs.run import Summary
from spiritlm_cli.manifests.clip import BadClip, Clip, Transcript
from spiritlm_cli.manifests.discovery import find_clips
from spiritlm_cli.manifests.labels import drop_labels
from spiritlm_cli.manifests.manifest import scan_manifest
from spiritlm_cli.manifests.row import AUDIO_SUFFIXES
from spiritlm_cli.manifests.transcripts import attach_text
from spiritlm_cli.streams import standard_input
from spiritlm_cli.text_files import is_audio

__all__ = ["InspectOptions", "run"]

Item = Clip | BadClip | InputLine

# Bytes at the beginning of a file that tell audio from text.
_BEGINNING = 16


def run(options: InspectOptions) -> Summary:
    """Show clips and token lines. Returns how many, and how many could not be used.

    Raises OptionError, SpiritLMError for what ends the run, and with `on_error="fail"` the error of the first input
    that can't be used.
    """
    options.check()
    count = 0
    with ExitStack() as stack:
        failures = stack.enter_context(Failures(options.on_error, options.errors))
        views = views_of(options)
        for view in views:
            stack.enter_context(view)
        output = options.html or options.plot or options.textgrid
        progress = stack.enter_context(Progress("inputs", output=output, lines=not options.stats))
        stack.enter_context(data_only())
        for item, outcome in stack.enter_context(closing(inspect_inputs(options))):
            failed = not _show(item, outcome, views, failures)
            progress.advance(failed)
            count += 1
    return Summary(count, failures.count)


def inspect_inputs(options: InspectOptions) -> Generator[tuple[Item, Outcome[Inspected]], None, None]:
    """Yield each input with its outcome, in order.

    The outcome raises AudioError, ManifestError and TokenError for an input that can't be used.
    """
    inspector = Inspector(
        model=options.model,
        expressive=options.expressive,
        device=options.device,
        f0=options.f0,
        speaker=options.speaker,
        keep_repeats=options.keep_repeats,
        sounds=options.sounds,
    )
    aligner = options.aligner if options.has_words and options.aligner != "none" else None
    alignments = options.alignments if options.has_words else None
    with WordTimes(alignments, aligner, options.device, keep_labels=options.keep_labels) as times:
        read = _Reader(options, inspector, times)
        if options.manifest:
            yield from read.clips(scan_manifest(options.manifest))
            return
        paths = options.inputs or ("-",)
        opened = {path: _open(path) for path in paths if path == "-" or _is_pipe(path)}
        for audio, group in groupby(paths, key=lambda path: _is_audio(path, opened)):
            if audio:
                yield from read.clips(find_clips(group), opened)
            else:
                yield from read.lines(list(group), opened)


@dataclass(frozen=True)
class _Reader:
    options: InspectOptions
    inspector: Inspector
    times: WordTimes

    def clips(
        self, clips: Iterable[Clip | BadClip], opened: Mapping[str, BinaryIO] = MappingProxyType({})
    ) -> Iterator[tuple[Item, Outcome[Inspected]]]:
        if self.options.has_words:
            clips = drop_labels(attach_text(clips), self.options.keep_labels)
        for clip in clips:
            yield clip, Outcome.of(partial(self._clip, clip, opened.get(str(clip.source))))

    def _clip(self, clip: Clip | BadClip, stream: BinaryIO | None) -> Inspected:
        if isinstance(clip, BadClip):
            raise clip.error
        rate, channel = self.inspector.tokenizer.rate, self.options.channel
        source = clip.source if stream is None else stream
        waveform = read_audio(source, rate=rate, channel=channel, start=clip.start, end=clip.end)
        return self.inspector.inspect_waveform(waveform, clip.id, str(clip.source), self._transcript(clip))

    def _transcript(self, clip: Clip) -> Transcript:
        """The words of a clip. Those that can't be found cost the words, and not the clip."""
        if self.options.has_words and clip.source != "-":
            try:
                return self.times.submit(clip).result()
            except (AlignmentError, ManifestError) as error:
                log.warning("%s: shown without words (%s)", clip.id, error)
        return Transcript(clip.text, clip.alignment)

    def lines(
        self, paths: list[str], opened: Mapping[str, BinaryIO]
    ) -> Iterator[tuple[Item, Outcome[Inspected]]]:
        for line in read_input(paths, self.options.checkpoint, opened=opened):
            yield line, Outcome.of(partial(self._line, line))

    def _line(self, line: InputLine) -> Inspected:
        return self.inspector.inspect_sequence(line.sequence, line.name, line.source)


def _show(item: Item, outcome: Outcome[Inspected], views: list[View], failures: Failures) -> bool:
    """Give an input to all views. Returns whether it could be used."""
    try:
        inspected = outcome.result()
        for view in views:
            view.add(inspected)
    except SpiritLMError as error:
        failures.add(item, error)
        return False
    return True


def _is_pipe(path: str) -> bool:
    return not Path(path).is_dir() and not Path(path).is_file()


def _open(path: str) -> io.BufferedReader:
    """Open stdin or a pipe, whose beginning can be looked at and is then read again."""
    if path == "-":
        announce(path)
    return io.BufferedReader(standard_input() if path == "-" else io.FileIO(path))  # type: ignore[arg-type]


def _is_audio(path: str, opened: Mapping[str, io.BufferedReader]) -> bool:
    """Whether a path is of audio, or of a folder of audio files, and not of token lines."""
    if path in opened:
        return is_audio(opened[path].peek(_BEGINNING)[:_BEGINNING])
    if Path(path).is_dir() or Path(path).suffix.lower() in AUDIO_SUFFIXES:
        return True
    with Path(path).open("rb") as file:
        return is_audio(file.read(_BEGINNING))
