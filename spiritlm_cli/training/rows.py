"""Batches of the language model's training: rows of tokens packed from documents."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.tokens.units import Kind


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


def phonetic_ids(vocabulary: Vocabulary) -> Tensor:
    """The ids of all phonetic units: (units,) int64."""
    return torch.tensor([token for unit, token in vocabulary.unit_ids.items() if unit.kind is Kind.HUBERT])


def replace_units(ids: Tensor, phonetic: Tensor, rng: random.Random, max_share: float) -> Tensor:
    """Replace phonetic units by random ones: in each row a random share of up to `max_share`.

    As inputs whose targets stay, those of a clip then differ each time, which reduces overfitting.

    ids: (rows, length) int64. phonetic: as from `phonetic_ids`. Returns a tensor of the same shape as `ids`.
    """
    draw = np.random.default_rng(rng.getrandbits(64))
    replaced = torch.from_numpy(draw.random(ids.shape) < draw.uniform(0, max_share, (len(ids), 1)))
    others = phonetic[torch.from_numpy(draw.integers(0, len(phonetic), ids.shape))]
    return torch.where(replaced & torch.isin(ids, phonetic), others, ids)
