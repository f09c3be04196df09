"""Batches of the language model's training: rows of tokens packed from sequences."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.tokens.sequence import SpeechSpan
from spiritlm_cli.tokens.units import Kind
from spiritlm_cli.training.mixture import Source
from spiritlm_cli.training.pairs import LabeledSequence

# Largest share of a row's phonetic units that are replaced at random in the inputs; targets stay. The inputs of a clip
# then differ each time, to reduce overfitting.
REPLACED = 0.2


@dataclass(frozen=True, eq=False)
class Rows:
    """Training sequences: each (rows, length) int64.

    tokens: token ids, the targets. inputs: token ids with some units replaced. sources: index of each token's source.
    words: index of each token's word in the row, −1 for none.
    """

    tokens: Tensor
    inputs: Tensor
    sources: Tensor
    words: Tensor

    def to(self, device: torch.device) -> "Rows":
        """Return a copy on `device`."""
        return Rows(*(getattr(self, field.name).to(device) for field in fields(self)))


def draw_rows(
    mixture: list[Source],
    vocabulary: Vocabulary,
    rows: int,
    length: int,
    rng: random.Random,
    replaced: float = 0.0,
) -> Rows:
    """Fill rows with sequences drawn from a mixture, each with a start and an end token if the vocabulary has them.

    The last sequence of a row is cut off.

    replaced: largest share of a row's phonetic units to replace in the inputs; see `replace_units`.
    """
    shares = [source.share for source in mixture]
    end = vocabulary.eos_ids[:1]
    filled = np.zeros((3, rows, length), dtype=np.int64)
    for row in range(rows):
        ids: list[int] = []
        origins: list[int] = []
        words: list[int] = []
        first_word = 0
        while len(ids) < length:
            index = rng.choices(range(len(mixture)), shares)[0]
            tokens, labels = encode_labeled(mixture[index].draw(rng), vocabulary)
            ids += [*tokens, *end]
            origins += [index] * (len(tokens) + len(end))
            words += [*(label + first_word if label >= 0 else -1 for label in labels), *(-1 for _ in end)]
            first_word = max(first_word, 1 + max(words))
        filled[:, row] = ids[:length], origins[:length], words[:length]
    tokens_of, sources_of, words_of = torch.from_numpy(filled)
    inputs = replace_units(tokens_of, vocabulary, rng, replaced) if replaced else tokens_of
    return Rows(tokens_of, inputs, sources_of, words_of)


def encode_labeled(labeled: LabeledSequence, vocabulary: Vocabulary) -> tuple[list[int], list[int]]:
    """Encode a sequence. Returns its token ids, and the index of each token's word, −1 for none.

    A text piece belongs to the word of its last character.
    """
    ids = vocabulary.encode(labeled.sequence)
    words = [-1] * len(ids)
    if not labeled.words:
        return ids, words
    position = vocabulary.start_length
    for span, label in zip(labeled.sequence.spans, labeled.words, strict=True):
        position += bool(vocabulary.marker_ids)  # after the marker
        if isinstance(span, SpeechSpan):
            words[position : position + len(label)] = label.tolist()
            position += len(label)
            continue
        of_byte = np.repeat(label, [len(character.encode()) for character in span.text])
        stop = 0
        while stop < len(of_byte):
            stop += len(vocabulary.text_bytes(ids[position]))
            words[position] = int(of_byte[min(stop, len(of_byte)) - 1])
            position += 1
    return ids, words


def replace_units(
    ids: Tensor, vocabulary: Vocabulary, rng: random.Random, max_share: float = REPLACED
) -> Tensor:
    """Replace phonetic units by random ones: in each row a random share of up to `max_share`.

    ids: (rows, length) int64. Returns a tensor of the same shape.
    """
    draw = np.random.default_rng(rng.getrandbits(64))
    replaced = draw.random(ids.shape) < draw.uniform(0, max_share, (len(ids), 1))
    phonetic = [token for unit, token in vocabulary.unit_ids.items() if unit.kind is Kind.HUBERT]
    others = torch.from_numpy(draw.choice(phonetic, ids.shape)).to(ids.device)
    is_phonetic = torch.isin(ids, torch.tensor(phonetic, device=ids.device))
    return torch.where(torch.from_numpy(replaced).to(ids.device) & is_phonetic, others, ids)


class RowStream:
    """Supplies the rows of consecutive steps, drawn in this process or in advance in worker processes.

    The rows of a step depend only on its number, not on `workers` or on the first step.
    """

    def __init__(self, draw: Callable[[int], Rows], workers: int = 0) -> None:
        """draw: returns the rows of a step. workers: number of processes, forked at the first step; 0 for none."""
        self._draw, self._workers = draw, workers
        self._batches: Iterator[Rows] | None = None

    def __call__(self, number: int) -> Rows:
        """Return the rows of step `number`. With workers, calls must be for consecutive steps."""
        if not self._workers:
            return self._draw(number)
        if self._batches is None:
            steps = _Steps(self._draw, number)
            loader = DataLoader(
                steps,
                batch_size=None,
                num_workers=self._workers,
                prefetch_factor=4,
                multiprocessing_context="fork",
            )
            self._batches = iter(loader)
        return next(self._batches)


class _Steps(Dataset[Rows]):
    """Rows of all steps from `first` on, as a dataset for a DataLoader."""

    def __init__(self, draw: Callable[[int], Rows], first: int) -> None:
        self._draw, self._first = draw, first

    def __len__(self) -> int:
        return 1 << 31

    def __getitem__(self, index: int) -> Rows:
        return self._draw(self._first + index)
