import pytest

from spiritlm_cli.errors import TokenError
from spiritlm_cli.language.speech_vocabulary import SpeechVocabulary
from spiritlm_cli.tokens.reader import parse_line, parse_sequence
from spiritlm_cli.tokens.sequence import Line, Sequence
from spiritlm_cli.tokens.units import Kind


@pytest.fixture
def vocabulary() -> SpeechVocabulary:
    return SpeechVocabulary(500, "config.json")


def test_encode_has_no_markers(vocabulary: SpeechVocabulary) -> None:
    speech = parse_sequence("[SPEECH][Hu0][Hu499]")
    assert vocabulary.encode(speech) == vocabulary.encode(speech, "speech") == [1, 2, 501]
    assert vocabulary.encode(Sequence(), "speech") == [1]
    assert vocabulary.decode([1, 2, 501, 1]) == speech
    assert (vocabulary.size, vocabulary.bos_id, vocabulary.eos_ids) == (502, 1, (1,))
    assert vocabulary.unit_counts == {Kind.HUBERT: 500, Kind.PITCH: 0, Kind.STYLE: 0}


def test_encode_continuation_of_speech(vocabulary: SpeechVocabulary) -> None:
    speech = parse_sequence("[SPEECH][Hu7]")
    assert vocabulary.encode_continuation(Line(speech), speech) == ([1, 9], [9])
    assert vocabulary.encode_continuation(parse_line("[SPEECH]"), speech) == ([1], [9])
    assert vocabulary.encode_continuation(Line(Sequence()), speech) == ([1], [9])


def test_truncate_left_keeps_the_start_token(vocabulary: SpeechVocabulary) -> None:
    assert vocabulary.truncate_left([1, 5, 6, 7, 8], 3) == [1, 7, 8]
    assert vocabulary.last_span([1]) == (None, False)
    assert vocabulary.last_span([1, 5]) == ("speech", False)


def test_text_is_an_error(vocabulary: SpeechVocabulary) -> None:
    for line, opens in (("[TEXT]a", None), ("[SPEECH][Hu1][TEXT]a", None), ("[SPEECH][Hu1]", "text")):
        with pytest.raises(TokenError, match="has speech units alone: it can't read or generate text"):
            vocabulary.encode(parse_sequence(line), opens)
    with pytest.raises(TokenError, match=r"\[Hu500\]: the model has \[Hu0\] to \[Hu499\]"):
        vocabulary.encode(parse_sequence("[SPEECH][Hu500]"))
