"""Prepared data of the language model: Arrow files of texts, token lines and clips, mapped into memory.

A folder has `text-00000.arrow`, `lines-00000.arrow`, `clips-00000.arrow` and so on, and `prepared.json` with their
number. They are streams of Arrow record batches, which `datasets.Dataset.from_file` and
`load_dataset("arrow", data_files="FOLDER/clips-*.arrow")` read too. They do not depend on a vocabulary.
"""

import bisect
import itertools
import json
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from collections.abc import Sequence as TypingSequence
from pathlib import Path
from typing import Any, TypeVar, overload

import numpy as np

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.files import read_bytes
from spiritlm_cli.interleaving.interleave import Utterance
from spiritlm_cli.manifests.clip import Alignment, Word
from spiritlm_cli.third_party import needs_extra
from spiritlm_cli.tokens.reader import parse_line
from spiritlm_cli.tokens.sequence import Sequence
from spiritlm_cli.tokens.units import IntArray, Units
from spiritlm_cli.training.corpus import Clips, Corpus
from spiritlm_cli.training.highest_units import HighestUnits

# The file that says that a folder is complete.
INDEX = "prepared.json"
VERSION = 1
KINDS = ("text", "lines", "clips")
Item = TypeVar("Item")


def shard_path(folder: Path, kind: str, number: int) -> Path:
    """The file of shard `number` of texts, token lines or clips."""
    return folder / f"{kind}-{number:05}.arrow"


def read_prepared(folder: Path) -> Corpus:
    """Map the data of a folder into memory.

    Raises ManifestError if it is not a folder of `train prepare`, not complete, or damaged, and MissingPackageError
    without the extra `train`.
    """
    shards, highest = _read_index(folder)
    text, lines, clips = (_open(folder, kind, shards.get(kind, 0)) for kind in KINDS)
    return Corpus(_Texts(text), _Lines(lines), _clips(clips), highest)


def _read_index(folder: Path) -> tuple[Mapping[str, int], HighestUnits]:
    """The number of shards by kind, and the highest units. Raises ManifestError as `read_prepared`."""
    path = folder / INDEX
    if not path.is_file():
        raise ManifestError(
            f"{folder}: has no {INDEX}; make the folder with `spiritlm train prepare`, or --resume it"
        )
    try:
        index = json.loads(read_bytes(path, ManifestError))
        if index["version"] != VERSION:
            raise ManifestError(f"{path}: of version {index['version']}, this program reads {VERSION}")
        # folders that were prepared earlier do not have them
        units = {kind: (unit, f"{folder}: {where}") for kind, (unit, where) in index.get("units", {}).items()}
        return {kind: int(count) for kind, count in index["shards"].items()}, HighestUnits.from_json(units)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ManifestError(f"{path}: not an index of prepared data ({error})") from None


def _open(folder: Path, kind: str, shards: int) -> Any:
    """A `datasets.Dataset` of all shards of a kind; an empty list if there are none."""
    with needs_extra("datasets", extra="train", purpose="prepared data"):
        import pyarrow
        from datasets import Dataset, concatenate_datasets
    opened = []
    for path in (shard_path(folder, kind, number) for number in range(shards)):
        try:
            opened.append(Dataset.from_file(str(path)))
        except (OSError, pyarrow.ArrowInvalid) as error:
            raise ManifestError(f"{path}: missing or damaged ({error}); prepare the data again") from None
    return concatenate_datasets(opened) if opened else []


class _Rows(TypingSequence[Item]):
    """Rows of a dataset, each made into an item when it is asked for."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset

    def __len__(self) -> int:
        return len(self._dataset)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self._item(self._dataset[int(index)])

    @abstractmethod
    def _item(self, row: Mapping[str, Any]) -> Item: ...


class _Texts(_Rows[str]):
    def _item(self, row: Mapping[str, Any]) -> str:
        return str(row["text"])


class _Lines(_Rows[Sequence]):
    def _item(self, row: Mapping[str, Any]) -> Sequence:
        return parse_line(row["line"], 1).sequence


class _Utterances(_Rows[Utterance]):
    def _item(self, row: Mapping[str, Any]) -> Utterance:
        pitch, style = (None if row[key] is None else _ids(row[key]) for key in ("pitch", "style"))
        alignment = None
        if row["words"] is not None:
            timed = zip(row["words"], row["starts"], row["ends"], strict=True)
            alignment = Alignment(tuple(Word(word, start, end) for word, start, end in timed))
        return Utterance(row["id"], Units(_ids(row["hubert"]), pitch, style), row["text"], alignment)


def _ids(ids: Iterable[int]) -> IntArray:
    return np.array(list(ids), dtype=np.int64)


def _clips(dataset: Any) -> Clips:
    if not len(dataset):
        return Clips.of([])
    import pyarrow
    from pyarrow import compute

    table = dataset.data
    speakers = pyarrow.chunked_array([*table.column("speaker").chunks]).combine_chunks().dictionary_encode()
    # one string for each speaker, not for each clip
    names = speakers.dictionary.to_pylist()
    words = compute.fill_null(compute.list_value_length(table.column("words")), 0)
    return Clips(
        [names[code] for code in speakers.indices.to_numpy()],
        words.to_numpy().astype(np.int64),
        compute.greater(compute.binary_length(table.column("text")), 0).to_numpy(),
        _Utterances(dataset),
    )


class _Joined(TypingSequence[Item]):
    """Several sequences, one after another."""

    def __init__(self, parts: TypingSequence[TypingSequence[Item]]) -> None:
        self._parts = parts
        self._stops = list(itertools.accumulate(map(len, parts)))

    def __len__(self) -> int:
        return self._stops[-1]

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        part = bisect.bisect_right(self._stops, index)
        return self._parts[part][index - self._stops[part] + len(self._parts[part])]


def join_corpora(corpora: TypingSequence[Corpus]) -> Corpus:
    """Put the data of several corpora, at least one, together."""
    full = [corpus for corpus in corpora if len(corpus.texts) or len(corpus.lines) or len(corpus.clips)]
    if len(full) < 2:
        return (full or list(corpora))[0]
    corpora = full
    clips = [corpus.clips for corpus in corpora]
    return Corpus(
        _Joined([corpus.texts for corpus in corpora]),
        _Joined([corpus.lines for corpus in corpora]),
        Clips(
            _Joined([part.speakers for part in clips]),
            np.concatenate([part.words for part in clips]),
            np.concatenate([part.transcribed for part in clips]),
            _Joined([part.utterances for part in clips]),
        ),
    )
