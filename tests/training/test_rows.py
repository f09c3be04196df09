import random

import pytest
import torch

from spiritlm_cli.language.sentencepiece_vocabulary import SentencePieceVocabulary
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind, Unit
from spiritlm_cli.training.mixture import Source
from spiritlm_cli.training.pairs import LabeledSequence
from spiritlm_cli.training.rows import REPLACED, Rows, RowStream, draw_rows, replace_units
from spiritlm_cli.training.vocabulary import train_vocabulary

SPEECH = SpeechSpan(tuple(Unit(Kind.PITCH if i % 4 == 0 else Kind.HUBERT, i % 10) for i in range(20)))
SPOKEN = Sequence((SPEECH, TextSpan("the sea was old")))
WRITTEN = Sequence((TextSpan("the man walked"),))


@pytest.fixture(scope="module")
def vocabulary() -> SentencePieceVocabulary:
    texts = ["The old man walked to the sea.", "the sea was old, and the man walked 15 miles"] * 100
    return SentencePieceVocabulary(train_vocabulary(texts, size=320, hubert=10, pitch=10, style=0))


def test_draw_rows_packs_whole_sequences(vocabulary: SentencePieceVocabulary) -> None:
    mixture = [
        Source(0.5, lambda _: LabeledSequence(SPOKEN), transcript=True),
        Source(0.5, lambda _: LabeledSequence(WRITTEN)),
    ]
    drawn = draw_rows(mixture, vocabulary, rows=6, length=200, rng=random.Random(1))
    ids, origins = drawn.tokens, drawn.sources
    assert (drawn.words == -1).all()
    assert ids.shape == origins.shape == (6, 200)
    assert set(origins.flatten().tolist()) == {0, 1}
    whole = [[*vocabulary.encode(sequence), vocabulary.eos_id] for sequence in (SPOKEN, WRITTEN)]
    for tokens, sources in zip(ids.tolist(), origins.tolist(), strict=True):
        position = 0
        while position < 200:
            expected = whole[sources[position]]
            stop = min(position + len(expected), 200)
            assert tokens[position:stop] == expected[: stop - position]
            assert sources[position:stop] == [sources[position]] * (stop - position)
            position = stop


def test_replace_units_changes_phonetic_units_only(vocabulary: SentencePieceVocabulary) -> None:
    ids = torch.tensor([vocabulary.encode(SPOKEN)] * 400)
    changed = replace_units(ids, vocabulary, random.Random(1))
    phonetic = {token for unit, token in vocabulary.unit_ids.items() if unit.kind is Kind.HUBERT}
    differs = changed != ids
    assert {int(token) for token in ids[differs]} <= phonetic
    assert {int(token) for token in changed[differs]} <= phonetic
    # the mean share is half of the largest, and a tenth of the random units equal the replaced ones
    share = differs.sum().item() / (400 * 15)
    assert share == pytest.approx(REPLACED / 2 * 0.9, abs=0.02)
    assert torch.equal(changed, replace_units(ids, vocabulary, random.Random(1)))


def test_draw_rows_replaces_units_in_inputs_only(vocabulary: SentencePieceVocabulary) -> None:
    sources = [Source(1.0, lambda _: LabeledSequence(SPOKEN))]
    plain, changed = (
        draw_rows(sources, vocabulary, rows=4, length=100, rng=random.Random(1), replaced=share)
        for share in (0.0, 0.5)
    )
    assert torch.equal(plain.tokens, plain.inputs)
    assert torch.equal(plain.tokens, changed.tokens)
    assert not torch.equal(changed.tokens, changed.inputs)


@pytest.mark.parametrize("first", [0, 3])
def test_row_stream_gives_the_same_rows_with_workers(vocabulary: SentencePieceVocabulary, first: int) -> None:
    sources = [
        Source(0.5, lambda _: LabeledSequence(SPOKEN)),
        Source(0.5, lambda _: LabeledSequence(WRITTEN)),
    ]

    def draw(number: int) -> Rows:
        return draw_rows(sources, vocabulary, rows=2, length=50, rng=random.Random(number), replaced=0.2)

    here, in_workers = RowStream(draw), RowStream(draw, workers=2)
    for number in range(first, first + 5):
        one, other = here(number), in_workers(number)
        assert torch.equal(one.inputs, other.inputs)
        assert torch.equal(one.sources, other.sources)
