import random

import pytest
import torch

from spiritlm_cli.language.sentencepiece_vocabulary import SentencePieceVocabulary
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan
from spiritlm_cli.tokens.units import Kind, Unit
from spiritlm_cli.training.rows import Rows, phonetic_ids, replace_units
from spiritlm_cli.training.vocabulary import train_vocabulary

SPEECH = SpeechSpan(tuple(Unit(Kind.PITCH if i % 4 == 0 else Kind.HUBERT, i % 10) for i in range(20)))


@pytest.fixture(scope="module")
def vocabulary() -> SentencePieceVocabulary:
    return SentencePieceVocabulary(train_vocabulary(["a b c"] * 9, size=264, hubert=10, pitch=10, style=0))


def test_replace_units_changes_phonetic_units_only(vocabulary: SentencePieceVocabulary) -> None:
    ids = torch.tensor([vocabulary.encode(Sequence((SPEECH,)))] * 400)
    changed = replace_units(ids, phonetic_ids(vocabulary), random.Random(1), 0.2)
    phonetic = {token for unit, token in vocabulary.unit_ids.items() if unit.kind is Kind.HUBERT}
    differs = changed != ids
    assert {int(token) for token in ids[differs]} <= phonetic
    assert {int(token) for token in changed[differs]} <= phonetic
    # the mean share is half of the largest, and a tenth of the random units equal the replaced ones
    share = differs.sum().item() / (400 * 15)
    assert share == pytest.approx(0.2 / 2 * 0.9, abs=0.02)
    assert torch.equal(changed, replace_units(ids, phonetic_ids(vocabulary), random.Random(1), 0.2))


def test_rows_are_cut_and_concatenated() -> None:
    rows = Rows(*(torch.arange(12).reshape(4, 3) + i for i in range(6)))
    parts = [rows[first : first + 2] for first in (0, 2)]
    assert [len(part) for part in parts] == [2, 2]
    joined = Rows.concatenate(parts)
    assert torch.equal(joined.tokens, rows.tokens)
    assert torch.equal(joined.weights, rows.weights)
