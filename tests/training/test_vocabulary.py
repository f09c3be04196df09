import pytest
import sentencepiece

from spiritlm_cli.errors import OptionError
from spiritlm_cli.language.sentencepiece_vocabulary import SentencePieceVocabulary
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind, Unit
from spiritlm_cli.training.vocabulary import train_vocabulary

STORIES = ["The old man walked to the sea.", "the sea was old, and the man walked 15 miles"] * 100


def test_train_vocabulary_has_llamas_order_with_units_last() -> None:
    processor = sentencepiece.SentencePieceProcessor(model_proto=train_vocabulary(STORIES, size=320))
    names = processor.id_to_piece(list(range(processor.vocab_size())))
    assert names[:4] == ["<unk>", "<s>", "</s>", "<0x00>"]
    assert names[258] == "<0xFF>"
    text = names.index("[Text]")
    assert 259 < text <= 320
    assert names[text:][:3] == ["[Text]", "[Speech]", "[Hu0]"]
    assert names[-1] == "[St99]"
    assert len(names) == text + 2 + 501 + 64 + 100


def test_train_vocabulary_learns_words_and_splits_digits() -> None:
    vocabulary = SentencePieceVocabulary(train_vocabulary(STORIES, size=320, hubert=10, pitch=4, style=0))
    assert vocabulary.unit_counts == {Kind.HUBERT: 10, Kind.PITCH: 4, Kind.STYLE: 0}
    assert len(vocabulary.encode_text("the old man walked")) == 4
    assert len(vocabulary.encode_text("15")) == 2, "digits stand alone"
    sequence = Sequence((TextSpan("  the café "), SpeechSpan((Unit(Kind.PITCH, 3), Unit(Kind.HUBERT, 9)))))
    assert vocabulary.decode(vocabulary.encode(sequence)) == sequence


def test_train_vocabulary_is_reproducible() -> None:
    assert train_vocabulary(STORIES, size=300) == train_vocabulary(iter(STORIES), size=300)


def test_train_vocabulary_without_text_has_ascii_characters() -> None:
    for texts in ([], ["", " "]):
        vocabulary = SentencePieceVocabulary(train_vocabulary(texts, size=10, hubert=2, pitch=0, style=0))
        assert len(vocabulary.encode_text("The old man, 15 years.")) == 22
        assert vocabulary.size == 3 + 256 + 95 + 2 + 2


def test_train_vocabulary_says_how_many_pieces_a_text_needs() -> None:
    with pytest.raises(OptionError, match="at least 262 for this text") as raised:
        train_vocabulary(["abc"], size=261)
    assert raised.value.option == "--vocabulary"
    train_vocabulary(["abc"], size=262)
