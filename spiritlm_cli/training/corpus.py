"""What the language model is trained on: texts, token lines, and clips with their units and words."""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Sequence as TypingSequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from spiritlm_cli.alignment.pool import POCKETSPHINX, available_cpus
from spiritlm_cli.alignment.sources import WordTimes
from spiritlm_cli.batching import Outcome
from spiritlm_cli.console import notify, one_line, track
from spiritlm_cli.errors import AlignmentError, ManifestError, TokenError
from spiritlm_cli.interleaving.interleave import Utterance
from spiritlm_cli.interleaving.utterances import make_utterance
from spiritlm_cli.manifests.clip import Clip, Transcript
from spiritlm_cli.manifests.labels import without_labels
from spiritlm_cli.manifests.manifest import read_manifest
from spiritlm_cli.text_files import bounded_lines, numbered_lines, open_text, read_errors, valid_lines
from spiritlm_cli.tokens.reader import BadLine, read_lines
from spiritlm_cli.tokens.sequence import Header, Sequence, TextSpan
from spiritlm_cli.tokens.units import IntArray, Units
from spiritlm_cli.training.aligned_units import AlignedUnits
from spiritlm_cli.training.data import read_units
from spiritlm_cli.training.highest_units import HighestUnits

# Texts of each kind from which a vocabulary is learned, at most.
VOCABULARY_TEXTS = 100_000
# A token line that begins with a marker, perhaps after a byte-order mark and an id.
_MARKED = re.compile(rb"(?:\xef\xbb\xbf)?(?:[^\t]*\t)?\[(?:TEXT|Text|SPEECH|Speech)\]")
Item = TypeVar("Item")


@dataclass(frozen=True, eq=False)
class Clips:
    """Clips with units, some of them with text and word times.

    speakers: of each clip, "" if unknown. words: (clips,) int64, number of its words with times; 0 without word times.
    transcribed: (clips,) bool, whether it has text.
    """

    speakers: TypingSequence[str]
    words: IntArray
    transcribed: NDArray[np.bool_]
    utterances: TypingSequence[Utterance]

    @classmethod
    def of(cls, utterances: TypingSequence[tuple[str, Utterance]]) -> "Clips":
        """Create from speakers and utterances."""
        words = [len(u.alignment.words) if u.alignment else 0 for _, u in utterances]
        return cls(
            [speaker for speaker, _ in utterances],
            np.array(words, dtype=np.int64),
            np.array([bool(utterance.text.strip()) for _, utterance in utterances], dtype=bool),
            [utterance for _, utterance in utterances],
        )

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.speakers)

    def of_speakers(self, chosen: IntArray) -> dict[str, IntArray]:
        """Indices of clips by their speaker. chosen: indices of the clips to divide."""
        by_speaker: dict[str, list[int]] = {}
        for index in chosen.tolist():
            by_speaker.setdefault(self.speakers[index], []).append(index)
        return {speaker: np.array(indices, dtype=np.int64) for speaker, indices in by_speaker.items()}


@dataclass(frozen=True, eq=False)
class Corpus:
    """All data of a training. texts: documents. lines: token lines. highest: the highest units in them."""

    texts: TypingSequence[str]
    lines: TypingSequence[Sequence]
    clips: Clips
    highest: HighestUnits = field(default_factory=HighestUnits)

    def all_texts(self) -> Iterator[str]:
        """The texts from which a vocabulary is learned: all, or `VOCABULARY_TEXTS` of each kind, evenly spaced."""
        yield from (utterance.text for utterance in _some(self.clips.utterances) if utterance.text)
        yield from _some(self.texts)
        yield from (sequence.text for sequence in _some(self.lines))


def _some(items: TypingSequence[Item]) -> Iterator[Item]:
    step = -(-len(items) // VOCABULARY_TEXTS) or 1
    return (items[index] for index in range(0, len(items), step))


def read_utterances(
    manifest: Path, units: Path, align: bool = True, highest: HighestUnits | None = None
) -> list[tuple[str, Utterance]]:
    """Read the clips of a manifest that have units in the JSONL `units`. Returns speakers and utterances.

    highest: gets their units. align: align clips that have text and no word times. A clip whose words can't be aligned
    is left out and reported on stderr, and so is the number of those without units. Raises ManifestError for an invalid
    file, or if no clip has units.
    """
    units_of = read_units(units)
    clips = [without_labels(clip)[0] for clip in read_manifest(manifest)]
    known = [clip for clip in clips if clip.id in units_of and len(units_of[clip.id].hubert)]
    if not known:
        raise ManifestError(f"{manifest}: no clip has units in {units}")
    if highest:
        for clip in known:
            highest.add_units(units_of[clip.id], f"{units}: {one_line(clip.id)}")
    if len(known) < len(clips):
        notify(f"{manifest}: {len(clips) - len(known)} of {len(clips)} clips have no units in {units}")
    with WordTimes(aligner=POCKETSPHINX if align else None, workers=available_cpus()) as times:
        submitted = [(clip, times.submit(clip)) for clip in known]
        tracked = track(submitted, "words of clips", len(known))
        return list(make_utterances(tracked, units_of.__getitem__, lambda why: notify(f"left out: {why}")))


def make_utterances(
    clips: Iterable[tuple[Clip, Outcome[Transcript]]],
    units_of: Callable[[str], Units],
    left_out: Callable[[str], None],
) -> Iterator[tuple[str, Utterance]]:
    """Combine clips and their words, as `WordTimes.submit` returns them, with units. Yields speakers and utterances.

    units_of: units by clip id. left_out: called with the id and the reason for a clip whose words can't be aligned or
    are not those of its text.
    """
    for clip, transcript in clips:
        try:
            utterance = make_utterance(clip.id, units_of(clip.id), transcript.result())
            if utterance.alignment:
                AlignedUnits.of(utterance)
        except AlignmentError as error:
            left_out(f"{clip.id}: {error}")
        else:
            yield clip.speaker or "", utterance


def list_files(paths: Iterable[Path]) -> list[Path]:
    """Replace folders by the files in them and below, sorted by name; hidden files are left out.

    Raises ManifestError for a path that does not exist, and for a folder without files.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            found = [
                file for file in sorted(path.rglob("*")) if file.is_file() and not file.name.startswith(".")
            ]
            if not found:
                raise ManifestError(f"{path}: there are no files in this folder")
            files += found
        elif path.exists():
            files.append(path)
        else:
            raise ManifestError(f"{path}: no such file or folder")
    return files


def read_texts(path: Path) -> list[str]:
    """Read the documents of a text file, one per line. Raises ManifestError for a file without text."""
    documents = [line for _, line in valid_lines(numbered_lines(path)) if line.strip()]
    if not documents:
        raise ManifestError(f"{path}: there is no text")
    return documents


def read_sequences(path: Path, highest: HighestUnits | None = None) -> list[Sequence]:
    """Read token lines.

    highest: gets their units. Says how many lines begin with text and no marker, as they do where it is misspelled.
    Raises ManifestError for a file without tokens, and TokenError, with the name of the file, for an invalid line.
    """
    sequences = []
    unmarked = []
    with read_errors(str(path)), open_text(path) as stream:
        parsed, written = itertools.tee(bounded_lines(stream))
        try:
            for number, (line, content) in enumerate(zip(read_lines(parsed), written, strict=False), 1):
                if isinstance(line, BadLine):
                    raise line.error
                if isinstance(line, Header) or not line.sequence.spans:
                    continue
                sequences.append(line.sequence)
                if isinstance(line.sequence.spans[0], TextSpan) and not _MARKED.match(content):
                    unmarked.append(number)
                if highest:
                    highest.add_sequence(line.sequence, f"{path}: line {number}")
        except TokenError as error:
            raise TokenError(f"{path}: {error}") from None
    if not sequences:
        raise ManifestError(f"{path}: there are no tokens")
    if unmarked:
        notify(
            f"{path}: {len(unmarked)} of {len(sequences)} token lines begin with text and without [TEXT], the first is "
            f"line {unmarked[0]}"
        )
    return sequences
