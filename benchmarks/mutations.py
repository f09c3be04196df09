"""Mutated inputs: a reader may refuse them, with an error of its own type, and do nothing else.

    python benchmarks/mutations.py                                   # 10,000 inputs for each reader
    python benchmarks/mutations.py --reader textgrid --count 1000
    python benchmarks/mutations.py --reader textgrid --seed 4711     # one input again, with the traceback

Each input is a valid file with a few mutations: flipped bytes, parts that are removed, repeated or exchanged, hostile
values, inflated numbers. Input number N of a reader depends on N alone. Prints a row for each reader: inputs, how many
were accepted, how many were refused and by which error. Any other exception, a crash of the process, and an input that
takes more than `LIMIT` seconds are listed with the number that repeats them, and make the exit status 1.

To add a reader, append a `Reader` to `READERS`.
"""

import argparse
import contextlib
import gzip
import io
import json
import logging
import os
import random
import re
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import numpy as np
import soundfile

from spiritlm_cli.alignment.store import AlignmentFiles
from spiritlm_cli.audio.reading import read_audio
from spiritlm_cli.english.normalize import normalize
from spiritlm_cli.english.verbalize import verbalize
from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.evaluation.blimp import read_blimp
from spiritlm_cli.evaluation.pair_files import read_pairs
from spiritlm_cli.evaluation.pairs import BadPair
from spiritlm_cli.language.tasks import Task
from spiritlm_cli.manifests.clip import BadClip, Clip
from spiritlm_cli.manifests.discovery import read_paths
from spiritlm_cli.manifests.manifest import count_clips, scan_manifest
from spiritlm_cli.manifests.transcripts import attach_text
from spiritlm_cli.tokens.reader import BadLine, read_lines
from spiritlm_cli.tokens.sequence import Line, SpeechSpan
from spiritlm_cli.tokens.streaming import StreamingLine, read_chunks, stream_lines
from spiritlm_cli.tokens.writer import format_line
from spiritlm_cli.training.data import read_units
from spiritlm_cli.training.phones import read_phones

LIMIT = 10.0  # seconds of CPU time for one input

HOSTILE = (
    b"\0", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xff\xfe", b"\r", b"\n", b"\r\n", b"\t", b'"', b"'",
    b"\\", b"\\ud800", b"\\u0000", b"\x1b[31m", "\u2028".encode(), "\u0663".encode(), "\u00bd".encode(), b"-1", b"-0",
    b"1e999", b"-1e999", b"1e-400", b"1e", b"NaN", b"nan", b"Infinity", b"-Infinity", b"inf", b"0x10", b"1_000", b"0",
    b"9" * 20, b"9" * 5000, b"0." + b"3" * 5000, b"null", b"true", b"{}", b"[]", b"[[", b"{", b"}", b"]", b",", b":",
    b"[" * 20_000, b'{"a":' * 10_000, b"a" * 20_000,
)  # fmt: skip
# Binary numbers in headers.
_SIZES = tuple(
    value.to_bytes(size, order)  # type: ignore[arg-type]
    for value in (
        0,
        1,
        2,
        0x7FFF,
        0x8000,
        0xFFFF,
        0x7FFFFFFF,
        0x80000000,
        0xFFFFFFFE,
        0xFFFFFFFF,
        (1 << 63) - 1,
    )
    for size in (2, 4, 8)
    for order in ("little", "big")
    if value < 1 << 8 * size
)
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


@dataclass(frozen=True)
class Reader:
    """What reads a file. It raises SpiritLMError for a file that it refuses.

    name: of the reader; file: the name that its inputs get; seeds: contents of valid files; hostile: values that are
    dangerous in this format, in addition to `HOSTILE`; mutators: of this format, in addition to `MUTATORS`; repair:
    gives an input the checksums without which it is refused; prepare: called once with the folder of the inputs, to
    write what they refer to.
    """

    name: str
    file: str
    seeds: tuple[bytes, ...]
    read: Callable[[Path], object]
    hostile: tuple[bytes, ...] = ()
    mutators: tuple[Callable[..., bytes], ...] = ()
    repair: Callable[[bytes], bytes] = lambda content: content
    prepare: Callable[[Path], None] = lambda folder: None


@dataclass
class Results:
    """What became of the inputs of a reader. untyped: the number of each input that failed, and how."""

    inputs: int = 0
    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    untyped: list[tuple[int, str]] = field(default_factory=list)

    def add(self, number: int, outcome: str) -> None:
        """Count an input. outcome: "accepted", the name of the error that refused it, or "untyped: …"."""
        self.inputs += 1
        if outcome == "accepted":
            self.accepted += 1
        elif outcome.startswith("untyped: "):
            self.untyped.append((number, outcome.removeprefix("untyped: ")))
        else:
            self.refused[outcome] += 1


def mutate(
    content: bytes,
    chance: random.Random,
    seeds: tuple[bytes, ...],
    hostile: tuple[bytes, ...],
    mutators: tuple[Callable[..., bytes], ...] = (),
) -> bytes:
    """The content with one to four mutations."""
    for _ in range(chance.randint(1, 4)):
        content = chance.choice((*MUTATORS, *mutators))(content, chance, seeds, hostile)
    return content


def _flip(content: bytes, chance: random.Random, *_: object) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.randint(1, 4) if changed else 0):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _truncate(content: bytes, chance: random.Random, *_: object) -> bytes:
    return content[: chance.randrange(len(content) + 1)]


def _remove(content: bytes, chance: random.Random, *_: object) -> bytes:
    start, stop = _range(content, chance)
    return content[:start] + content[stop:]


def _repeat(content: bytes, chance: random.Random, *_: object) -> bytes:
    start, stop = _range(content, chance)
    return content[:stop] + content[start:stop] * chance.choice((1, 1, 2, 50)) + content[stop:]


def _exchange_lines(content: bytes, chance: random.Random, *_: object) -> bytes:
    lines = content.splitlines(keepends=True)
    for _ in range(2 if lines else 0):
        one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
        lines[one], lines[other] = lines[other], lines[one]
    return b"".join(lines)


def _splice_hostile(
    content: bytes, chance: random.Random, seeds: tuple[bytes, ...], hostile: tuple[bytes, ...]
) -> bytes:
    start, stop = _range(content, chance, longest=8)
    if chance.random() < 0.5:
        stop = start
    return content[:start] + chance.choice(hostile) + content[stop:]


def _replace_number(
    content: bytes, chance: random.Random, seeds: tuple[bytes, ...], hostile: tuple[bytes, ...]
) -> bytes:
    numbers = list(_NUMBER.finditer(content))
    if not numbers:
        return content
    match = chance.choice(numbers)
    values = (
        b"0",
        b"-1",
        b"1e9",
        b"2147483648",
        b"-9223372036854775809",
        b"9" * 30,
        b"9" * 5000,
        b"1e400",
        b"0.0",
    )
    value = chance.choice((*values, b"%d" % chance.randrange(100), match[0] + b"0", b"-" + match[0]))
    return content[: match.start()] + value + content[match.end() :]


def _splice_seed(
    content: bytes, chance: random.Random, seeds: tuple[bytes, ...], hostile: tuple[bytes, ...]
) -> bytes:
    other = chance.choice(seeds)
    start, stop = _range(other, chance)
    at = chance.randrange(len(content) + 1)
    return content[:at] + other[start:stop] + content[at:]


def _change_line_ends(content: bytes, chance: random.Random, *_: object) -> bytes:
    return content.replace(b"\n", chance.choice((b"\r", b"\r\n", b"\n\n", b"")))


def _overwrite_header(content: bytes, chance: random.Random, *_: object) -> bytes:
    """Replace a number among the first 128 bytes, or the first 1024."""
    value = chance.choice(_SIZES)
    start = chance.randrange(max(1, min(len(content), chance.choice((128, 128, 1024)))))
    return content[:start] + value + content[start + len(value) :]


def _range(content: bytes, chance: random.Random, longest: int = 200) -> tuple[int, int]:
    start = chance.randrange(len(content) + 1)
    return start, min(len(content), start + chance.randint(1, longest))


MUTATORS = (
    _flip, _truncate, _remove, _repeat, _exchange_lines, _splice_hostile, _splice_hostile, _replace_number,
    _replace_number, _splice_seed, _change_line_ends,
)  # fmt: skip


def mutated(reader: Reader, number: int) -> bytes:
    """Input `number` of a reader."""
    chance = random.Random(f"{reader.name} {number}")
    content = mutate(
        chance.choice(reader.seeds), chance, reader.seeds, HOSTILE + reader.hostile, reader.mutators
    )
    content = reader.repair(content)
    return gzip.compress(content, 1) if reader.file.endswith(".gz") and chance.random() < 0.9 else content


def outcome(reader: Reader, number: int, folder: Path) -> str:
    """Read one input. Returns "accepted", the name of the error that refused it, or "untyped: …"."""
    path = folder / reader.file
    path.write_bytes(mutated(reader, number))
    try:
        with time_limit(LIMIT):
            reader.read(path)
    except SpiritLMError as error:
        return type(error).__name__
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"untyped: {type(error).__name__} at {Path(place.filename).name}:{place.lineno}: {str(error)[:80]!a}"
    return "accepted"


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in the block after so many seconds of CPU time."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"takes more than {seconds:g} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def try_reader(reader: Reader, numbers: range, folder: Path) -> Results:
    """Read inputs in this process. folder: where they are written."""
    reader.prepare(folder)
    results = Results()
    for number in numbers:
        results.add(number, outcome(reader, number, folder))
    return results


def try_in_processes(reader: Reader, numbers: range, folder: Path) -> Results:
    """Read inputs in a child process, and in another one after an input that ends it."""
    reader.prepare(folder)
    results = Results()
    while len(remaining := numbers[results.inputs :]):
        receiver, sender = os.pipe()
        child = os.fork()
        if not child:
            _read_in_child(reader, remaining, folder, receiver, sender)
        os.close(sender)
        with os.fdopen(receiver) as lines:
            for number, line in zip(remaining, lines, strict=False):
                results.add(number, json.loads(line))
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status:
            results.add(numbers[results.inputs], f"untyped: the process ended with status {status}")
    return results


def _read_in_child(reader: Reader, numbers: Iterable[int], folder: Path, receiver: int, sender: int) -> None:
    """Write the outcome of each input as a line of JSON, and exit."""
    os.close(receiver)
    status = 1
    try:
        with os.fdopen(sender, "w", buffering=1) as lines:
            for number in numbers:
                print(json.dumps(outcome(reader, number, folder)), file=lines)
        status = 0
    finally:
        os._exit(status)


def _read_manifest(path: Path) -> None:
    with contextlib.suppress(SpiritLMError):
        count_clips(path)
    _raise_first(clip.error for clip in scan_manifest(path) if isinstance(clip, BadClip))


def _read_alignment(path: Path) -> None:
    errors = []
    for clip_id in ("clip-a", "b"):
        with AlignmentFiles.open(path) as files:
            try:
                files.find(clip_id)
            except SpiritLMError as error:
                errors.append(error)
    _raise_first(errors)


def _read_token_lines(path: Path) -> None:
    with path.open("rb") as stream:
        errors = []
        for line in read_lines(stream):
            if isinstance(line, BadLine):
                errors.append(line.error)
            elif isinstance(line, Line):
                line.split()
                format_line(line)
    _raise_first(errors)


def _read_streaming(path: Path) -> None:
    content = path.read_bytes()
    size = len(content) // 7 + 1
    pieces = [
        piece for start in range(0, len(content), size) for piece in (content[start : start + size], b"")
    ]
    errors = []
    for line in stream_lines(pieces):
        if isinstance(line, BadLine):
            errors.append(line.error)
        elif isinstance(line, StreamingLine):
            list(line)
    with path.open("rb") as stream:
        list(stream_lines(read_chunks(stream)))
    _raise_first(errors)


def _read_template(path: Path) -> None:
    task = Task.load(str(path), lambda sound: SpeechSpan(()))
    line = next(iter(read_lines([b"[SPEECH][Hu1][Hu2][TEXT]words"])))
    assert isinstance(line, Line)
    task.build_prompt(line, [line])


def _read_pairs(path: Path) -> None:
    _raise_first(pair.error for pair in read_pairs(path) if isinstance(pair, BadPair))


def _read_blimp(path: Path) -> None:
    _raise_first(pair.error for pair in read_blimp(path) if isinstance(pair, BadPair))


def _repair_ogg(content: bytes) -> bytes:
    """Give each page its checksum (RFC 3533, section 6): a CRC of 32 bits by the polynomial 0x04c11db7."""
    repaired = bytearray(content)
    place = repaired.find(b"OggS")
    while 0 <= place <= len(repaired) - 27:
        segments = repaired[place + 27 : place + 27 + repaired[place + 26]]
        end = place + 27 + len(segments) + sum(segments)
        repaired[place + 22 : place + 26] = bytes(4)
        crc = 0
        for byte in repaired[place:end]:
            crc = crc << 8 & 0xFFFFFFFF ^ _OGG_CRCS[crc >> 24 ^ byte]
        repaired[place + 22 : place + 26] = crc.to_bytes(4, "little")
        place = repaired.find(b"OggS", end)
    return bytes(repaired)


def _ogg_crc(byte: int) -> int:
    crc = byte << 24
    for _ in range(8):
        crc = crc << 1 & 0xFFFFFFFF ^ (0x04C11DB7 if crc >> 31 else 0)
    return crc


def _read_sound(path: Path) -> None:
    read_audio(path)
    with path.open("rb") as stream:
        read_audio(io.BytesIO(stream.read()), start=0.01)


def _read_paths(path: Path) -> None:
    with path.open("rb") as stream:
        list(read_paths(stream))


def _read_transcript(path: Path) -> None:
    _raise_first(
        clip.error for clip in attach_text([Clip("a", path.with_suffix(".wav"))]) if isinstance(clip, BadClip)
    )


def _read_english(path: Path) -> None:
    text = path.read_text(encoding="utf-8", errors="replace")
    normalize(text)
    for token in text.split():
        verbalize(token)


def _raise_first(errors: Iterable[SpiritLMError]) -> None:
    """Raise the first of the errors, after all inputs are read."""
    for error in list(errors)[:1]:
        raise error


def _write_wav_scp(folder: Path) -> None:
    (folder / "wav.scp").write_text("rec-a sounds/a.flac\nrec-b sounds/b.wav\n")


def _sounds(container: str, *subtypes: str, rate: int = 16000, channels: int = 1) -> tuple[bytes, ...]:
    """A tone of 0.03 s and one of 0.3 s in a format, for each subtype: most of the shorter files is their header."""
    seeds = []
    for subtype in subtypes:
        for samples in (500, 5000):
            tone = np.sin(np.arange(samples * channels) / 9).reshape(samples, channels) / 2
            content = io.BytesIO()
            soundfile.write(content, tone, rate, format=container, subtype=subtype)
            seeds.append(content.getvalue())
    return tuple(seeds)


_WORDS = b'[{"word": "The", "start": 0.1, "end": 0.3}, {"word": "cat", "start": 0.35, "end": 0.7, "confidence": 0.9}]'
_TSV = (
    b"id\taudio\tstart\tend\ttext\tspeaker\twords\nclip-a\ta.flac\t0.5\t2.25\tThe cat.\tanna\t" + _WORDS
    + b"\nb\tsub/b.wav\t\t\tA dog.\t7\t\n"
)  # fmt: skip
_JSONL = (
    b'{"id": "clip-a", "audio": "a.flac", "start": 0.5, "end": 2.25, "text": "The cat", "words": ' + _WORDS
    + b'}\n{"id": "b", "audio": "b.wav", "text": "A dog", "speaker": 7, "words": ' + _WORDS + b"}\n"
)  # fmt: skip
_CSV = b'id,audio,text,words\r\na,a.flac,"a, ""b""\r\nc","[{""word"": ""a"", ""end"": 1, ""start"": 0}]"\r\nb,b.wav,,\n'
_NEMO = (
    b'{"audio_filepath": "a.wav", "duration": 2.5, "text": "a"}\n'
    b'{"audio_filepath": "a.wav", "offset": 2.5, "duration": 1.25, "text": "b", "lang": "en"}\n'
)
_LHOTSE = (
    b'{"id": "cut-1", "start": 1.5, "duration": 2.0, "channel": 0, "supervisions": [{"id": "s", "recording_id": "r", '
    b'"start": 0.0, "duration": 2.0, "channel": 0, "text": "a b", "speaker": "bob", "alignment": {"word": '
    b'[["a", 0.0, 0.5], ["b", 0.5, 0.5, -3.1]]}}], "recording": {"id": "r", "sources": [{"type": "file", '
    b'"channels": [0], "source": "a.wav"}], "sampling_rate": 16000, "duration": 3.5}, "type": "MonoCut"}\n'
)
_TEXTGRID = b'''File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 2.5
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "words"
        xmin = 0
        xmax = 2.5
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = "the"
        intervals [2]:
            xmin = 0.5
            xmax = 1.25
            text = "sil"
        intervals [3]:
            xmin = 1.25
            xmax = 2.5
            text = "cat ""Tom"""
    item [2]:
        class = "TextTier"
        name = "events"
        xmin = 0
        xmax = 2.5
        points: size = 1
        points [1]:
            number = 1.5
            mark = "click"
'''
_SHORT_TEXTGRID = (
    b'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n2.5\n<exists>\n1\n"IntervalTier"\n"words"\n0\n2.5\n2\n'
    b'0\n0.5\n"the"\n0.5\n2.5\n"cat"\n'
)
_CTM = (
    b";; comment\nclip-a 1 0.10 0.20 the 0.93\nclip-a 1 0.35 0.35 cat NA lex anna\n"
    b"b A 0.5 0.25 a\nb A 0.8 0.2 <eps>\n"
)
_WHISPER = (
    b'{"text": " The cat", "segments": [{"id": 0, "start": 0.0, "end": 0.8, "text": " The cat", "words": '
    b'[{"word": " The", "start": 0.1, "end": 0.3, "probability": 0.8}, {"word": " cat", "start": 0.3, "end": 0.7}]}, '
    b'{"start": 1.0, "end": 2.0, "text": "in 1998", "words": [{"word": "in", "start": 1.0, "end": 1.1, "score": 0.5}, '
    b'{"word": "1998"}]}], "language": "en"}\n'
)
_LINES = (
    b"#spiritlm 1 model=nano tokenizer=0123456789abcdef\na\t[SPEECH][St10][Pi0][Hu28][Hu11]\n"
    b"b\t[TEXT]The cat \\[sat\\] on\\n it. [SPEECH][St3][Pi7][Hu499][SPEECH][Hu1]\n[TEXT]no id[TEXT] at all\nc\t\n"
)
_TEMPLATE = (
    b'# A task.\nexample: "[TEXT]{text} stop{speech}{stop}"\nquestion: "[TEXT]{text} stop[SPEECH]"\nto: speech\n'
    b'end: ["{stop}", "[TEXT]"]\nsounds: {stop: stop.flac}\nshots: 10\nmax_new_tokens: 300\ngreedy: true\n'
)
_YAML = (
    b"!!timestamp 2001-01-01", b"2001-99-99", b"2001-01-01 99:99:99", b"!!python/object/apply:os.system [id]",
    b"!!binary a", b"!!set {a}", b"!!int a", b"!!float a", b"!!omap [a]", b"&a [*a]", b"*a", b"<<: *a", b".inf", b"0b",
    b"190:20:30", b"0x", b"%YAML 9", b"---", b"? ", b"- ", b"| ", b"{line}", b"{stop}", b"{nothing}", b"[SPEECH]",
)  # fmt: skip
_UNITS = (
    b"[Hu",
    b"[Hu01]",
    b"[Hu-1]",
    b"[Hu" + b"9" * 18 + b"]",
    b"[Hu" + b"9" * 30 + b"]",
    b"[SPEECH]",
    b"[Pi",
    b"\\[",
)
_LABELS = (b"<eps>", b"<unk>", b"sil", b"spn", b"[noise]", b"{NS}", b"#", b"!")
_TEXT = b"Mr. Smith paid $5.50 at 10:05 AM on May 3rd, 1832, for 2 1/2 lbs. of XIV (AT&T) 1,000,000 men; 007's 12B.\n"
_PAIRS = b"id\tgood\tbad\ttype\tgiven\n1\ta cat\tcat a\tx\t\n2\t[Hu1][Hu2]\t[Hu3]\tx\ty\n"
_BLIMP = b'{"sentence_good": "A cat.", "sentence_bad": "Cat a.", "UID": "x", "pairID": 1, "linguistics_term": "y"}\n'

_OGG_CRCS = [_ogg_crc(byte) for byte in range(256)]
_SOUNDS = {
    "WAV": _sounds("WAV", "PCM_16", "FLOAT", "PCM_U8", "ULAW", "MS_ADPCM", "IMA_ADPCM", "GSM610")
    + _sounds("WAVEX", "PCM_24", channels=2) + _sounds("RF64", "PCM_16") + _sounds("W64", "PCM_16"),
    "AIFF": _sounds("AIFF", "PCM_16", "FLOAT", "ALAW", "IMA_ADPCM"),
    "CAF": _sounds("CAF", "PCM_16", "FLOAT", "ALAC_16", "ALAC_24"),
    "AU": _sounds("AU", "PCM_16", "ULAW", "G721_32"),
    "NIST SPHERE": _sounds("NIST", "PCM_16", "ULAW"),
    "FLAC": _sounds("FLAC", "PCM_16", "PCM_24", channels=2) + _sounds("FLAC", "PCM_S8"),
    "OGG (Vorbis)": _sounds("OGG", "VORBIS") + _sounds("OGG", "VORBIS", channels=2),
    "OGG (Opus)": _sounds("OGG", "OPUS") + _sounds("OGG", "OPUS", channels=2),
    "MP3": _sounds("MP3", "MPEG_LAYER_III") + _sounds("MP3", "MPEG_LAYER_III", rate=44100, channels=2),
}  # fmt: skip

READERS = (
    *(Reader(name, "sound.bin", seeds, _read_sound, mutators=(_overwrite_header,) * 11)
      for name, seeds in _SOUNDS.items()),
    *(Reader(f"{name}, checksums repaired", "sound.bin", _SOUNDS[name], _read_sound, repair=_repair_ogg)
      for name in ("OGG (Vorbis)", "OGG (Opus)")),
    Reader("manifest (TSV)", "clips.tsv", (_TSV,), _read_manifest, (b"audio\taudio",)),
    Reader("manifest (TSV, gzipped)", "clips.tsv.gz", (_TSV,), _read_manifest),
    Reader("manifest (JSONL)", "clips.jsonl", (_JSONL,), _read_manifest),
    Reader("manifest (by its content)", "clips.list", (_TSV, _JSONL), _read_manifest),
    Reader("manifest (CSV)", "clips.csv", (_CSV,), _read_manifest, (b'""', b'","', b'"\n"')),
    Reader("manifest (NeMo, lhotse)", "clips.json", (_NEMO, _LHOTSE), _read_manifest, (b"MixedCut", b'"begin": 1,')),
    Reader("wav.scp", "clips.scp", (b"a sounds/a.flac\nb  sounds/b.wav\nc cat x.wav |\n",), _read_manifest),
    Reader("segments", "segments", (b"a-1 rec-a 0.5 1.25\nb-1 rec-b 3 -1\n",),
           lambda path: _read_manifest(path.with_name("wav.scp")), prepare=_write_wav_scp),
    Reader("list of paths", "paths.txt", (b"sounds/a.flac\nsounds/b.wav\n\n/c d.wav\n",), _read_paths),
    Reader("transcript", "a.txt", ("The caf\u00e9\u2026\nis closed.\n".encode(),), _read_transcript),
    Reader("TextGrid", "a.TextGrid", (_TEXTGRID, _SHORT_TEXTGRID), _read_alignment,
           (*_LABELS, b'""', b"<exists>", b"<absent>")),
    Reader("CTM", "a.ctm", (_CTM,), _read_alignment, (*_LABELS, b"<ALT_BEGIN>", b"NA", b" ")),
    Reader("Whisper JSON", "a.json", (_WHISPER,), _read_alignment, _LABELS),
    Reader("alignments (JSONL)", "a.jsonl", (_JSONL,), _read_alignment, _LABELS),
    Reader("alignments (JSONL, gzipped)", "a.jsonl.gz", (_JSONL,), _read_alignment),
    Reader("token lines", "lines.txt", (_LINES,), _read_token_lines, _UNITS),
    Reader("token lines as they arrive", "lines.txt", (_LINES,), _read_streaming, _UNITS),
    Reader("templates", "task.yaml", (_TEMPLATE,), _read_template, _YAML),
    Reader("English text", "text.txt", (_TEXT,), _read_english,
           (b"$.", "1\u20442".encode(), b"0:00", b"\xc2\xb2", b"th", b"'s", b"million")),
    Reader("pairs (TSV)", "pairs.tsv", (_PAIRS,),
           _read_pairs, _UNITS),
    Reader("BLiMP", "blimp.jsonl",
           (_BLIMP,),
           _read_blimp),
    Reader("units (JSONL)", "units.jsonl", (b'{"id": "a", "hubert": "1 2 3", "pitch": "4", "style": "5"}\n',),
           read_units),
    Reader("phones (JSONL)", "phones.jsonl", (b'{"id": "a", "phones": [["SIL", 0.0, 0.5], ["AH", 0.5, 0.75]]}\n',),
           read_phones),
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reader", help="part of the name of the readers to try")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, help="number of the one input to try")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    failed = False
    print("| reader | inputs | accepted | refused | untyped |\n|---|---|---|---|---|", flush=True)
    for reader in READERS:
        if arguments.reader and arguments.reader.casefold() not in reader.name.casefold():
            continue
        with tempfile.TemporaryDirectory() as folder:
            if arguments.seed is not None:
                reader.prepare(Path(folder))
                (Path(folder) / reader.file).write_bytes(mutated(reader, arguments.seed))
                reader.read(Path(folder) / reader.file)
                continue
            results = try_in_processes(reader, range(arguments.count), Path(folder))
        refused = ", ".join(f"{count:,} {name}" for name, count in results.refused.most_common())
        print(
            f"| {reader.name} | {results.inputs:,} | {results.accepted:,} | {refused} | {len(results.untyped)} |",
            flush=True,
        )
        by_kind: dict[str, int] = {}
        for number, kind in results.untyped:
            by_kind.setdefault(kind.split(": ")[0], number)
        for kind, number in by_kind.items():
            print(f"{reader.name}, --seed {number}: {kind}", file=sys.stderr)
        failed = failed or bool(results.untyped)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
