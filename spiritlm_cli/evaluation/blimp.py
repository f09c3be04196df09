"""`blimp` on text: BLiMP's JSONL files of sentence pairs that differ in one point of grammar (Warstadt et al. 2020)."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.pairs import BadPair, Candidate, Group, Pair
from spiritlm_cli.manifests.row import parse_json_fields
from spiritlm_cli.manifests.word_times import NOT_IN_TEXT
from spiritlm_cli.text_files import numbered_lines
from spiritlm_cli.tokens.sequence import Sequence, TextSpan

_GROUPS = ("linguistics_term", "UID")


def blimp_files(path: Path | str) -> list[Path]:
    """Return the JSONL file `path`, or the JSONL files in the folder `path`, sorted; empty for anything else."""
    path = Path(path)
    if path.is_dir():
        return sorted(path.glob("*.jsonl"))
    return [path] if path.suffix == ".jsonl" else []


def read_blimp(path: Path | str) -> Iterator[Pair | BadPair]:
    """Read the pairs of BLiMP's JSONL, a file or a folder of files, and the lines that can't be used, in order.

    Required fields: sentence_good and sentence_bad. Optional: linguistics_term and UID, which are groups. The id of a
    pair is `UID/pairID`, or `file/line` if one of these is missing, or an earlier pair has it: some other corpora of
    this form repeat ids. Raises ManifestError if a file can't be read.
    """
    ids: set[str] = set()
    for file in blimp_files(path):
        for line_number, line in numbered_lines(file):
            if isinstance(line, ManifestError):
                yield BadPair(f"{file.stem}/{line_number}", f"{file}: line {line_number}", line)
            elif line.strip():
                pair = _pair(line, file, line_number)
                if pair.id in ids:
                    pair = replace(pair, id=f"{file.stem}/{line_number}")
                ids.add(pair.id)
                yield pair


def _pair(line: str, file: Path, line_number: int) -> Pair | BadPair:
    source = f"{file}: line {line_number}"
    name = f"{file.stem}/{line_number}"
    try:
        fields = parse_json_fields(line, source)
        if "UID" in fields and "pairID" in fields:
            name = NOT_IN_TEXT.sub("?", f"{fields['UID']}/{fields['pairID']}")
        groups = tuple(_group(fields[kind], kind, source) for kind in _GROUPS if kind in fields)
        good, bad = (_candidate(fields.get(side), side, source) for side in ("sentence_good", "sentence_bad"))
    except ManifestError as error:
        return BadPair(name, source, error)
    return Pair(name, source, (good,), (bad,), groups)


def _group(value: object, kind: str, source: str) -> Group:
    if not isinstance(value, str) or not value or NOT_IN_TEXT.search(value):
        raise ManifestError(f"{source}: {kind} is not text")
    return Group(kind, value)


def _candidate(value: object, side: str, source: str) -> Candidate:
    if not isinstance(value, str) or not value.strip() or NOT_IN_TEXT.search(value):
        raise ManifestError(f"{source}: {side} is not text")
    return Candidate(value, source, Sequence.of([TextSpan(value)]))
