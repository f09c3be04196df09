import copy

import numpy as np
import pytest

from spiritlm_cli.language.sentencepiece_vocabulary import SentencePieceVocabulary
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind, Unit
from spiritlm_cli.training.documents import Document, encode_document
from spiritlm_cli.training.language_model_options import Loss
from spiritlm_cli.training.pairs import LabeledSequence
from spiritlm_cli.training.vocabulary import train_vocabulary

UNITS = tuple(Unit(Kind.HUBERT, i) for i in range(4))
SPOKEN = Sequence((SpeechSpan(UNITS), TextSpan("a b"), SpeechSpan(UNITS[:1])))


@pytest.fixture(scope="module")
def vocabulary() -> SentencePieceVocabulary:
    return SentencePieceVocabulary(train_vocabulary(["a b c"] * 9, size=264, hubert=10, pitch=0, style=0))


def test_encode_document_has_start_and_end(vocabulary: SentencePieceVocabulary) -> None:
    document = encode_document(LabeledSequence(SPOKEN), vocabulary)
    assert document.ids.tolist() == [*vocabulary.encode(SPOKEN), vocabulary.eos_id]
    assert set(document.words.tolist()) == {-1}
    assert document.weights.tolist() == [0] + [1] * (len(document) - 1)


def test_encode_document_trains_text_and_its_end(vocabulary: SentencePieceVocabulary) -> None:
    document = encode_document(LabeledSequence(SPOKEN), vocabulary, "text")
    text = len(vocabulary.encode_text("a b"))
    # the start, a marker, units and a marker; the text and the marker that ends it; a unit and the end token
    assert document.weights.tolist() == [0] * 7 + [1] * (text + 1) + [0, 0]


def test_encode_document_trains_answers_and_their_ends(vocabulary: SentencePieceVocabulary) -> None:
    answers = (np.full(4, -1), np.full(3, -1), np.zeros(1, dtype=np.int64))
    document = encode_document(LabeledSequence(SPOKEN, answers=answers), vocabulary, "answer")
    assert document.weights.tolist() == [0] * (len(document) - 2) + [1, 1]
    nothing = encode_document(LabeledSequence(SPOKEN), vocabulary, "answer")
    assert not nothing.weights.any()


def test_encode_document_labels_the_words_of_tokens(vocabulary: SentencePieceVocabulary) -> None:
    words = (np.array([0, 0, 1, 1]), np.array([0, 1, 1]), np.array([1]))
    document = encode_document(LabeledSequence(SPOKEN, words), vocabulary)
    ids = document.ids.tolist()
    text = [vocabulary.text_bytes(token) for token in ids[7:-3]]
    assert b"".join(text) == b"a b"
    assert document.words.tolist()[:7] == [-1, -1, 0, 0, 1, 1, -1]
    assert document.words.tolist()[7:] == [0, *[1] * (len(text) - 1), -1, 1, -1]


@pytest.mark.parametrize("first", range(1, 7))
def test_part_repeats_start_and_marker(vocabulary: SentencePieceVocabulary, first: int) -> None:
    document = encode_document(LabeledSequence(SPOKEN), vocabulary)
    part, stop = document.part(first, 100, vocabulary)
    head = [1] if first in (1, 6) else [1, vocabulary.marker_ids["speech"]]
    assert part.ids.tolist() == head + document.ids.tolist()[first:]
    assert part.weights.tolist() == [0] * len(head) + [1] * (len(document) - first)
    assert stop == len(document)
    part, stop = document.part(first, 4, vocabulary)
    assert len(part) == 4
    assert stop == first + 4 - len(head)


def test_part_leaves_out_a_rest_of_the_end_token(vocabulary: SentencePieceVocabulary) -> None:
    document = encode_document(LabeledSequence(SPOKEN), vocabulary)
    size = len(document)
    assert document.part(0, size - 2, vocabulary)[1] == size - 2
    assert document.part(0, size - 1, vocabulary)[1] == size
    assert document.part(0, size, vocabulary)[1] == size


def test_part_of_units_alone_has_no_head(vocabulary: SentencePieceVocabulary) -> None:
    units = copy.copy(vocabulary)
    units.bos_id, units.eos_ids, units.marker_ids = None, (), {}
    document = Document(
        np.arange(6), np.full(6, -1), np.ones(6, dtype=np.float32), np.zeros(0, dtype=np.int64)
    )
    part, stop = document.part(2, 3, units)
    assert (part.ids.tolist(), part.weights.tolist(), stop) == ([2, 3, 4], [0, 1, 1], 5)


@pytest.mark.parametrize("loss", ["all", "balanced", "text", "answer"])
def test_part_ends_between_pairs(vocabulary: SentencePieceVocabulary, loss: Loss) -> None:
    units = tuple(Unit(Kind.HUBERT, 5) for _ in range(8))
    pairs = (SpeechSpan(units), TextSpan("a b")) * 3
    answers = [label for i in range(3) for label in (np.full(8, -1), np.full(3, i))]
    document = encode_document(LabeledSequence(Sequence(pairs), answers=tuple(answers)), vocabulary, loss)
    marker = vocabulary.marker_ids["speech"]
    starts = [int(i) + 1 for i in np.flatnonzero(document.ids == marker)]
    assert document.divisions.tolist() == [*starts[1:], len(document)]
    pair = starts[1] - starts[0]
    assert document.undivided(0, vocabulary) == starts[1]
    # with the start token and the marker
    assert document.undivided(starts[1], vocabulary) == pair + 2
    for room in (starts[1], starts[2] - 1):
        part, stop = document.part(0, room, vocabulary)
        assert (len(part), stop) == (starts[1], starts[1])
        assert part.ids[-1] == marker
    part, stop = document.part(starts[1], pair + 2, vocabulary)
    assert part.ids[:2].tolist() == [vocabulary.bos_id, marker]
    assert (len(part), stop) == (pair + 2, starts[2])
    # a pair that does not fit is divided anywhere
    assert document.part(0, starts[1] - 1, vocabulary)[1] == starts[1] - 1


def test_divisions_are_after_answers_of_units(vocabulary: SentencePieceVocabulary) -> None:
    spans = (TextSpan("a"), SpeechSpan((Unit(Kind.HUBERT, 5),))) * 2
    answers = tuple(np.array([label]) for label in (-1, 0, -1, 1))
    document = encode_document(LabeledSequence(Sequence(spans), answers=answers), vocabulary)
    second = int(np.flatnonzero(document.ids == vocabulary.marker_ids["text"])[1])
    assert document.divisions.tolist() == [second + 1, len(document)]
    assert encode_document(LabeledSequence(Sequence(spans)), vocabulary).divisions.tolist() == []
    assert encode_document(LabeledSequence(Sequence(spans)), vocabulary).undivided(0, vocabulary) == 1
