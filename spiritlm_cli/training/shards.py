"""Write one Arrow file of prepared data: of texts, token lines or clips."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spiritlm_cli.console import one_line
from spiritlm_cli.errors import TokenError
from spiritlm_cli.files import atomic_path
from spiritlm_cli.interleaving.interleave import Utterance
from spiritlm_cli.text_files import is_too_long, too_long_message
from spiritlm_cli.tokens.reader import parse_header, parse_line
from spiritlm_cli.tokens.units import Kind
from spiritlm_cli.training.highest_units import HighestUnits

# Rows of a record batch.
_BATCH = 1000
# The columns of units, in the order of `Kind`.
_STREAMS = ("hubert", "pitch", "style")


@dataclass(frozen=True)
class RawLine:
    """A line of a file as it is, with its end."""

    file: str
    number: int
    content: bytes


@dataclass(frozen=True)
class Shard:
    """What a file of prepared data has.

    rows: their number. reasons: what is wrong with each line that was left out. highest: the highest units.
    """

    rows: int
    reasons: list[str]
    highest: HighestUnits


def write_lines(path: Path, kind: str, lines: Iterable[RawLine]) -> Shard:
    """Write the lines that can be used."""
    import pyarrow

    highest = HighestUnits()

    name = "text" if kind == "text" else "line"
    reasons: list[str] = []

    def rows() -> Iterator[dict[str, str]]:
        for line in lines:
            try:
                text = _checked_line(line, kind, highest)
            except (TokenError, ValueError) as error:
                reasons.append(f"{line.file}: {one_line(str(error))}")
            else:
                if text:
                    yield {name: text}

    written = _write(path, pyarrow.schema([(name, pyarrow.large_string())]), rows())
    return Shard(written, reasons, highest)


def _checked_line(line: RawLine, kind: str, highest: HighestUnits) -> str | None:
    """The text of a line; None for a header, and for a token line without tokens. Raises TokenError or ValueError.

    highest: gets the units of a token line.
    """
    if is_too_long(line.content):
        raise ValueError(f"line {line.number}: {too_long_message()}")
    try:
        text = line.content.decode("utf-8-sig" if line.number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError(f"line {line.number}: not UTF-8 text") from None
    if kind == "text":
        return text
    if line.number == 1 and text.startswith("#spiritlm ") and "\t" not in text:
        parse_header(text)
        return None
    sequence = parse_line(text, line.number).sequence
    highest.add_sequence(sequence, f"{line.file}: line {line.number}")
    return text if sequence.spans else None


def write_clips(path: Path, clips: Iterable[tuple[str, Utterance]]) -> Shard:
    """Write clips, given their speakers and utterances."""
    highest = HighestUnits()

    def rows() -> Iterator[dict[str, Any]]:
        for speaker, utterance in clips:
            highest.add_units(utterance.units, f"the clip {one_line(utterance.id)}")
            yield _clip_row((speaker, utterance))

    return Shard(_write(path, _clip_schema(), rows()), [], highest)


def _clip_schema() -> Any:
    import pyarrow

    strings, ids, seconds = pyarrow.string(), pyarrow.list_(pyarrow.int32()), pyarrow.list_(pyarrow.float64())
    return pyarrow.schema([
        ("id", strings), ("speaker", strings), ("text", strings), ("hubert", ids), ("pitch", ids), ("style", ids),
        ("words", pyarrow.list_(strings)), ("starts", seconds), ("ends", seconds),
    ])  # fmt: skip


def _clip_row(clip: tuple[str, Utterance]) -> dict[str, Any]:
    speaker, utterance = clip
    units, words = utterance.units, utterance.alignment.words if utterance.alignment else None
    return {
        "id": utterance.id,
        "speaker": speaker,
        "text": utterance.text if utterance.text.strip() else "",
        "hubert": units.hubert,
        "pitch": units.pitch,
        "style": units.style,
        "words": None if words is None else [word.word for word in words],
        "starts": None if words is None else [word.start for word in words],
        "ends": None if words is None else [word.end for word in words],
    }


def _write(path: Path, schema: Any, rows: Iterable[dict[str, Any]]) -> int:
    """Write rows as a stream of Arrow record batches, atomically. Returns their number."""
    import pyarrow

    count = 0
    batch: list[dict[str, Any]] = []
    with (
        atomic_path(path) as temporary,
        pyarrow.OSFile(str(temporary), "wb") as file,
        pyarrow.ipc.new_stream(file, schema) as writer,
    ):
        for row in rows:
            batch.append(row)
            count += 1
            if len(batch) == _BATCH:
                writer.write_batch(pyarrow.RecordBatch.from_pylist(batch, schema))
                batch = []
        if batch:
            writer.write_batch(pyarrow.RecordBatch.from_pylist(batch, schema))
    return count


def read_shard(path: Path, kind: str) -> Shard:
    """Read what a file has that was written before."""
    import pyarrow

    highest = HighestUnits()
    with pyarrow.memory_map(str(path)) as file:
        table = pyarrow.ipc.open_stream(file).read_all()
        if kind == "lines":
            for row, line in enumerate(table.column("line").to_pylist()):
                highest.add_sequence(parse_line(line).sequence, f"{path.name}: row {row}")
        if kind == "clips":
            for row in table.select(["id", *_STREAMS]).to_pylist():
                for kind_of_unit, name in zip(Kind, _STREAMS, strict=True):
                    if row[name]:
                        highest.add(kind_of_unit, max(row[name]), f"the clip {one_line(row['id'])}")
        return Shard(table.num_rows, [], highest)
