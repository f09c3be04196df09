from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind, Unit

ONE = Unit(Kind.HUBERT, 1)


def test_of_drops_the_empty_and_joins_neighbours() -> None:
    spans = [
        TextSpan("a"),
        SpeechSpan(()),
        TextSpan("b"),
        SpeechSpan((ONE,)),
        TextSpan(""),
        SpeechSpan((ONE, ONE)),
    ]
    assert Sequence.of(spans) == Sequence((TextSpan("ab"), SpeechSpan((ONE, ONE, ONE))))


def test_speech_and_text_apart() -> None:
    sequence = Sequence.of([TextSpan("a"), SpeechSpan((ONE,)), TextSpan("b")])
    assert sequence.text == "ab"
    assert sequence.speech == (SpeechSpan((ONE,)),)
