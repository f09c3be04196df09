"""Batches of the language model's training: rows of tokens packed from documents."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.tokens.units import Kind

# Default of the largest share of a row's phonetic units that are replaced at random in the inputs; targets stay. The
# inputs of a clip then differ each time, to reduce overfitting.
REPLACED = 0.2


@dataclass(frozen=True, eq=False)
class Rows:
    """Packed training sequences: each (rows, length).

    tokens: int64 token ids, the targets. inputs: int64 token ids with some units replaced. sources: int64 index of each
    token's source. words: int64 index of each token's word in the row, −1 for none. positions: int64 position of each
    token in its document; 0 begins another document, which does not attend to the one before it. weights: float32
    weight of each token's loss, 0 for those that are not trained on.
    """

    tokens: Tensor
    inputs: Tensor
    sources: Tensor
    words: Tensor
    positions: Tensor
    weights: Tensor

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.tokens)

    def __getitem__(self, rows: slice) -> "Rows":
        """Return some of the rows, such as those of one of several accumulated batches."""
        return Rows(*(getattr(self, field.name)[rows] for field in fields(self)))

    def to(self, device: torch.device) -> "Rows":
        """Return a copy on `device`."""
        return Rows(*(getattr(self, field.name).to(device) for field in fields(self)))

    @classmethod
    def concatenate(cls, parts: Sequence["Rows"]) -> "Rows":
        """Put the rows of several batches below each other."""
        return cls(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(cls)))


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
