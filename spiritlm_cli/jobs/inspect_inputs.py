"""What `inspect` and its subcommands look at: clips and token lines, of files, folders, manifests and stdin."""

import codecs
import io
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, Literal

from spiritlm_cli.alignment.sources import WordTimes
from spiritlm_cli.audio.reading import read_audio
from spiritlm_cli.batching import Outcome
from spiritlm_cli.console import log
from spiritlm_cli.errors import AlignmentError, ManifestError
from spiritlm_cli.inspection.inspected import Inspected
from spiritlm_cli.inspection.inspector import Inspector
from spiritlm_cli.jobs.lines import InputLine, announce, read_input
from spiritlm_cli.jobs.options.inspect import InputOptions
from spiritlm_cli.manifests.clip import BadClip, Clip, Transcript
from spiritlm_cli.manifests.discovery import find_clips
from spiritlm_cli.manifests.labels import drop_labels
from spiritlm_cli.manifests.manifest import scan_manifest
from spiritlm_cli.manifests.row import AUDIO_SUFFIXES
from spiritlm_cli.manifests.transcripts import attach_text
from spiritlm_cli.streams import standard_input
from spiritlm_cli.text_files import is_audio

Item = Clip | BadClip | InputLine
CheckLength = Callable[[str, float], None]

# Bytes at the beginning of a file that tell audio, text and other data apart.
_BEGINNING = 16


def new_inspector(
    options: InputOptions, *, keep_repeats: bool = False, sounds: bool = False, speaker: str | None = None
) -> Inspector:
    """The inspector of the checkpoint and settings of some options; see `Inspector` for the others."""
    return Inspector(
        model=options.checkpoint,
        expressive=options.expressive,
        device=options.device,
        f0=options.f0,
        dtype=options.dtype,
        speaker=speaker,
        keep_repeats=keep_repeats,
        sounds=sounds,
    )


def inspect_inputs(
    options: InputOptions, inspector: Inspector, words: bool = False, check_length: CheckLength | None = None
) -> Generator[tuple[Item, Outcome[Inspected]], None, None]:
    """Yield each input with its outcome, in order.

    words: find texts and word times too. check_length: raises AudioError for a clip, by its id and seconds, that is not
    to be tokenized. The outcome raises AudioError, ManifestError and TokenError for an input that can't be used.
    """
    aligner = options.aligner if words and options.aligner != "none" else None
    alignments = options.alignments if words else None
    with WordTimes(alignments, aligner, options.device, keep_labels=options.keep_labels) as times:
        read = _Reader(options, inspector, times, words, check_length)
        if options.manifest:
            yield from read.clips(scan_manifest(options.manifest))
            return
        paths = options.inputs or ("-",)
        opened = {path: _open(path) for path in paths if path == "-" or _is_pipe(path)}
        for kind, group in groupby(paths, key=lambda path: _kind_of(path, opened)):
            if kind == "audio":
                yield from read.clips(find_clips(group), opened)
            elif kind == "lines":
                yield from read.lines(list(group), opened)
            else:
                yield from read.clips(map(_bad_clip, group))


@dataclass(frozen=True)
class _Reader:
    options: InputOptions
    inspector: Inspector
    times: WordTimes
    words: bool
    check_length: CheckLength | None

    def clips(
        self, clips: Iterable[Clip | BadClip], opened: Mapping[str, BinaryIO] = MappingProxyType({})
    ) -> Iterator[tuple[Item, Outcome[Inspected]]]:
        if self.words:
            clips = drop_labels(attach_text(clips), self.options.keep_labels)
        for clip in clips:
            yield clip, Outcome.of(partial(self._clip, clip, opened.get(str(clip.source))))

    def _clip(self, clip: Clip | BadClip, stream: BinaryIO | None) -> Inspected:
        if isinstance(clip, BadClip):
            raise clip.error
        rate, channel = self.inspector.tokenizer.rate, self.options.channel
        source = clip.source if stream is None else stream
        waveform = read_audio(source, rate=rate, channel=channel, start=clip.start, end=clip.end)
        if self.check_length:
            self.check_length(clip.id, waveform.seconds)
        return self.inspector.inspect_waveform(waveform, clip.id, str(clip.source), self._transcript(clip))

    def _transcript(self, clip: Clip) -> Transcript:
        """The words of a clip. Those that can't be found cost the words, and not the clip."""
        if self.words and clip.source != "-":
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


def _is_pipe(path: str) -> bool:
    return Path(path).exists() and not Path(path).is_dir() and not Path(path).is_file()


def _open(path: str) -> io.BufferedReader:
    """Open stdin or a pipe, whose first bytes can be looked at and are then read again."""
    if path == "-":
        announce(path)
    stream = standard_input() if path == "-" else io.BufferedReader(io.FileIO(path))
    # A buffered stream fills the buffer of `peek`, where a pipe may return fewer bytes before its end.
    return io.BufferedReader(stream, _BEGINNING)  # type: ignore[arg-type]


def _kind_of(path: str, opened: Mapping[str, io.BufferedReader]) -> Literal["audio", "lines", "other"]:
    """What a path is of: audio or a folder of audio files, token lines, or neither."""
    if path in opened:
        beginning = opened[path].peek(_BEGINNING)[:_BEGINNING]
    elif Path(path).is_dir() or Path(path).suffix.lower() in AUDIO_SUFFIXES:
        return "audio"
    else:
        with Path(path).open("rb") as file:
            beginning = file.read(_BEGINNING)
    if is_audio(beginning):
        return "audio"
    return "lines" if _is_text(beginning) else "other"


def _is_text(beginning: bytes) -> bool:
    """Whether a file may be text. Text in another encoding is, so that the error is that of its line."""
    if b"\0" in beginning:
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(beginning)
    except UnicodeDecodeError:
        return not any(byte < 32 and byte not in b"\t\n\r" for byte in beginning)
    return True


def _bad_clip(path: str) -> BadClip:
    name = "stdin" if path == "-" else path
    return BadClip(
        name, path, ManifestError(f"{name}: neither audio nor token lines, which are what can be inspected")
    )
