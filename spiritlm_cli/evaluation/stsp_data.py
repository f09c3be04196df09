"""The files of the speech-text sentiment preservation benchmark (STSP), in the layout of Spirit LM's release.

    data/…                                    audio files, which `wav_path` of a record names
    manifest/emov/emov.SPLIT.jsonl            records of EMOV
    manifest/expresso/expresso_read.SPLIT.jsonl, expresso_asr.SPLIT.jsonl
    manifest/few_shot/{t2t,t2s,s2t,s2s}.jsonl  solved examples of each direction

In the release, the two manifests of Expresso's train split have no suffix.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path, PurePosixPath
from typing import Any

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.stsp_directions import (
    Direction,
    LabelName,
    Split,
    input_of,
    output_of,
)
from spiritlm_cli.manifests.row import NOT_IN_ID, parse_json_fields
from spiritlm_cli.manifests.word_times import NOT_IN_TEXT
from spiritlm_cli.text_files import numbered_lines
from spiritlm_cli.tokens.sequence import Modality

SENTIMENTS = ("negative", "neutral", "positive")
SENTIMENT_OF_EMOTION = {
    "happy": "positive",
    "amused": "positive",
    "sad": "negative",
    "angry": "negative",
    "default": "neutral",
    "neutral": "neutral",
}

# Of each modality of the input, the sets and their manifests.
_SETS: dict[Modality, dict[str, str]] = {
    "text": {"expresso_asr": "expresso/expresso_asr"},
    "speech": {"emov": "emov/emov", "expresso_read": "expresso/expresso_read"},
}


@dataclass(frozen=True)
class StspRecord:
    """A line of a manifest. source: file and line; set: such as "emov"; root: folder that `wav_path` is relative to."""

    id: str
    set: str
    source: str
    root: Path
    fields: Mapping[str, Any]

    def label(self, name: LabelName = "sentiment") -> str:
        """The label; a sentiment that is missing is that of the emotion.

        Raises ManifestError if there is none, and for a sentiment that is none of the three.
        """
        value = self.fields.get(name)
        if value is None and name == "sentiment":
            value = SENTIMENT_OF_EMOTION.get(str(self.fields.get("emotion")))
        if not isinstance(value, str) or not value:
            raise ManifestError(f"{self.source}: has no {name}" + " or emotion" * (name == "sentiment"))
        return _check_sentiment(value, self.source) if name == "sentiment" else value

    @property
    def text(self) -> str:
        """The transcript. Raises ManifestError if there is none."""
        return _text(self.fields.get("asr"), "asr", self.source)

    @property
    def audio(self) -> Path:
        """The audio file. Raises ManifestError if there is none, or one outside of the folder of the data."""
        return _inside(self.root, self.fields.get("wav_path"), "wav_path", self.source)


@dataclass(frozen=True)
class BadRecord:
    """A line that can't be used, and the reason. id: its id or its number, after the set."""

    id: str
    source: str
    error: ManifestError


@dataclass(frozen=True)
class ShotRecord:
    """A solved example of a direction: an input and an output, each a text or an audio file. line: in the file.

    Of an audio file, the input is the first half, and the output is the second half.
    """

    line: int
    sentiment: str
    prompt: str | Path
    generation: str | Path


def find_sets(data: Path, split: Split, modality: Modality) -> dict[str, Path]:
    """The manifests of the sets whose inputs are of a modality, by name: `data` itself, if it is a manifest.

    data: the folder with `manifest`, or a file. Raises ManifestError if it has no set of that modality.
    """
    if data.is_file():
        return {data.stem: data}
    candidates = {
        name: [data / "manifest" / f"{path}.{split}{suffix}" for suffix in (".jsonl", "")]
        for name, path in _SETS[modality].items()
    }
    found = {
        name: path for name, paths in candidates.items() if (path := next(filter(Path.is_file, paths), None))
    }
    if not found:
        expected = " or ".join(str(paths[0].relative_to(data)) for paths in candidates.values())
        raise ManifestError(f"{data}: has no {expected}; give the unpacked folder of STSP, or a JSONL file")
    return found


def read_set(name: str, path: Path) -> Iterator[StspRecord | BadRecord]:
    """Read the records of a manifest, and the lines that can't be used, in order.

    Raises ManifestError if the file can't be read.
    """
    root = data_root(path)
    seen: set[str] = set()
    for line_number, line in numbered_lines(path):
        if isinstance(line, str) and not line.strip():
            continue
        source = f"{path}: line {line_number}"
        try:
            record = _record(name, line, source, root)
            if record.id in seen:
                raise ManifestError(f"{source}: duplicate id {record.id}")
        except ManifestError as error:
            yield BadRecord(f"{name}/line {line_number}", source, error)
            continue
        seen.add(record.id)
        yield record


def data_root(manifest: Path) -> Path:
    """The folder that the `wav_path` of a manifest is relative to.

    It is `data` beside the folder `manifest` of the release, or else the folder of the manifest.
    """
    for folder in manifest.absolute().parents:
        if folder.name == "manifest" and (folder.parent / "data").is_dir():
            return folder.parent / "data"
    return manifest.parent


def balance(records: Iterable[StspRecord | BadRecord]) -> list[StspRecord | BadRecord]:
    """Order records so that the sentiments take turns: the first ones are as many of each, as far as there are.

    Those without a sentiment, or with another one, become bad records.
    """
    groups: dict[str, list[StspRecord | BadRecord]] = {}
    for record in records:
        try:
            sentiment = record.label() if isinstance(record, StspRecord) else ""
        except ManifestError as error:
            sentiment, record = "", BadRecord(f"{record.set}/{record.id}", record.source, error)  # type: ignore[union-attr]
        groups.setdefault(sentiment, []).append(record)
    rounds = zip_longest(*(groups[name] for name in sorted(groups)))
    return [record for record in chain.from_iterable(rounds) if record is not None]


def read_shots(path: Path, direction: Direction, root: Path) -> list[ShotRecord]:
    """Read the solved examples of a direction.

    root: folder that their audio files are relative to. Raises ManifestError for a file or line that can't be used.
    """
    shots = []
    for line_number, line in numbered_lines(path):
        source = f"{path}: line {line_number}"
        if isinstance(line, ManifestError):
            raise line
        if not line.strip():
            continue
        fields = parse_json_fields(line, source)
        sentiment = _check_sentiment(fields.get("sentiment"), source)
        prompt, generation = (
            _text(fields.get(name), name, source)
            if modality == "text"
            else _inside(root, fields.get(name), name, source)
            for name, modality in (("prompt", input_of(direction)), ("generation", output_of(direction)))
        )
        shots.append(ShotRecord(line_number, sentiment, prompt, generation))
    return shots


def _record(name: str, line: str | ManifestError, source: str, root: Path) -> StspRecord:
    if isinstance(line, ManifestError):
        raise line
    fields = parse_json_fields(line, source)
    return StspRecord(read_id(fields, source), name, source, root, fields)


def _check_sentiment(value: object, source: str) -> str:
    """Return a sentiment. Raises ManifestError for anything else."""
    if not isinstance(value, str) or value not in SENTIMENTS:
        raise ManifestError(f"{source}: sentiment is {value!a}, expected {', '.join(SENTIMENTS)}")
    return value


def read_id(fields: Mapping[str, Any], source: str) -> str:
    """The id of a line: a whole number or a text. Raises ManifestError for anything else."""
    value = fields.get("id")
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ManifestError(f"{source}: id is {value!a}, expected a whole number or a text")
    text = str(value)
    if not text or NOT_IN_ID.search(text):
        raise ManifestError(f"{source}: id can't be empty or hold a tab, a line end or NUL: {text!a}")
    return text


def _text(value: object, name: str, source: str) -> str:
    if not isinstance(value, str) or not value.strip() or NOT_IN_TEXT.search(value):
        raise ManifestError(f"{source}: {name} is not text")
    return value


def _inside(root: Path, value: object, name: str, source: str) -> Path:
    """A path below `root`. Raises ManifestError for anything else."""
    path = PurePosixPath(value) if isinstance(value, str) and value and "\0" not in value else None
    if path is None or path.is_absolute() or ".." in path.parts:
        raise ManifestError(f"{source}: {name} is {value!a}, expected the path of a file below {root}")
    return root / path
