"""The rows of tokens that a training step of the language model is given."""

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

# At most this share of the units that a row of the batch has are replaced by others, where they are inputs; targets
# stay. A clip is then never seen twice alike.
REPLACED = 0.2


@dataclass(frozen=True, eq=False)
class Rows:
    """Training sequences: each (rows, length) int64.

    tokens: ids. inputs: the same as the network is given them, with some units replaced. sources: index of the source
    of each token. words: index of the word of each token, counted through the row, −1 for none.
    """

    tokens: Tensor
    inputs: Tensor
    sources: Tensor
    words: Tensor

    def to(self, device: torch.device) -> "Rows":
        return Rows(*(getattr(self, field.name).to(device) for field in fields(self)))


def draw_rows(
    drawn: list[Source],
    vocabulary: Vocabulary,
    rows: int,
    length: int,
    rng: random.Random,
    replaced: float = 0.0,
) -> Rows:
    """Sequences one after another, each with its start and end, the last one cut.

    replaced: the highest share of a row's phonetic units that are replaced in its inputs; see `replace_units`.
    """
    shares = [source.share for source in drawn]
    filled = np.zeros((3, rows, length), dtype=np.int64)
    for row in range(rows):
        ids: list[int] = []
        of: list[int] = []
        words: list[int] = []
        first = 0
        while len(ids) < length:
            index = rng.choices(range(len(drawn)), shares)[0]
            tokens, labels = encode_labeled(drawn[index].draw(rng), vocabulary)
            ids += [*tokens, vocabulary.eos_id]
            of += [index] * (len(tokens) + 1)
            words += [*(label + first if label >= 0 else -1 for label in labels), -1]
            first = max(first, 1 + max(words))
        filled[:, row] = ids[:length], of[:length], words[:length]
    tokens_of, sources_of, words_of = torch.from_numpy(filled)
    inputs = replace_units(tokens_of, vocabulary, rng, replaced) if replaced else tokens_of
    return Rows(tokens_of, inputs, sources_of, words_of)


def encode_labeled(labeled: LabeledSequence, vocabulary: Vocabulary) -> tuple[list[int], list[int]]:
    """The tokens of a sequence (`Vocabulary.encode`), and of each the index of its word, −1 for none.

    A text piece belongs to the word of its last character.
    """
    ids = vocabulary.encode(labeled.sequence)
    words = [-1] * len(ids)
    if not labeled.words:
        return ids, words
    place = 1  # behind <s>
    for span, label in zip(labeled.sequence.spans, labeled.words, strict=True):
        place += 1  # behind the marker
        if isinstance(span, SpeechSpan):
            words[place : place + len(label)] = label.tolist()
            place += len(label)
            continue
        of_byte = np.repeat(label, [len(character.encode()) for character in span.text])
        stop = 0
        while stop < len(of_byte):
            stop += len(vocabulary.text_bytes(ids[place]))
            words[place] = int(of_byte[min(stop, len(of_byte)) - 1])
            place += 1
    return ids, words


def replace_units(ids: Tensor, vocabulary: Vocabulary, rng: random.Random, most: float = REPLACED) -> Tensor:
    """(rows, length) int64 with some phonetic units replaced by others: a share up to `most`, drawn for each row."""
    draw = np.random.default_rng(rng.getrandbits(64))
    replaced = draw.random(ids.shape) < draw.uniform(0, most, (len(ids), 1))
    phonetic = [token for unit, token in vocabulary.unit_ids.items() if unit.kind is Kind.HUBERT]
    others = torch.from_numpy(draw.choice(phonetic, ids.shape)).to(ids.device)
    is_phonetic = torch.isin(ids, torch.tensor(phonetic, device=ids.device))
    return torch.where(torch.from_numpy(replaced).to(ids.device) & is_phonetic, others, ids)


class RowStream:
    """Draws the rows of one step after another, in this process or ahead of time in others.

    What is drawn for a step depends on its number alone, not on `workers` or on the step that it begins with.
    """

    def __init__(self, draw: Callable[[int], Rows], workers: int = 0) -> None:
        """draw: gives the rows of a step; workers: processes, forked at the first step, or 0 for none."""
        self._draw, self._workers = draw, workers
        self._ahead: Iterator[Rows] | None = None

    def __call__(self, number: int) -> Rows:
        """The rows of step `number`; steps must be asked for in order where there are workers."""
        if not self._workers:
            return self._draw(number)
        if self._ahead is None:
            steps = _Steps(self._draw, number)
            loader = DataLoader(
                steps,
                batch_size=None,
                num_workers=self._workers,
                prefetch_factor=4,
                multiprocessing_context="fork",
            )
            self._ahead = iter(loader)
        return next(self._ahead)


class _Steps(Dataset[Rows]):
    """The rows of all steps from one on, for a DataLoader."""

    def __init__(self, draw: Callable[[int], Rows], first: int) -> None:
        self._draw, self._first = draw, first

    def __len__(self) -> int:
        return 1 << 31

    def __getitem__(self, index: int) -> Rows:
        return self._draw(self._first + index)
