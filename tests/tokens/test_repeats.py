from spiritlm_cli.tokens.repeats import Repeats
from spiritlm_cli.tokens.sequence import SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind, Unit


def counted(*spans: tuple[int, ...] | str) -> Repeats:
    repeats = Repeats()
    for span in spans:
        if isinstance(span, str):
            repeats.add(TextSpan(span))
        else:
            repeats.add(SpeechSpan(tuple(Unit(Kind.HUBERT, number) for number in span)))
    return repeats


def test_repeats_by_chance_are_not_a_line_with_its_repeats() -> None:
    assert counted((1, 1, 2, 2, 3)).excess > 0
    assert counted((1, 2), "and", (2, 3)).excess <= 0
    assert counted((*range(30), 29)).excess <= 0
    assert counted((7,)).excess <= 0
    assert counted().excess <= 0


def test_a_span_may_come_in_pieces() -> None:
    assert counted((1,), (1, 2), (2, 3)).excess == counted((1, 1, 2, 2, 3)).excess > 0


def test_when_the_rest_is_not_waited_for() -> None:
    assert not counted(tuple(range(20))).sure
    assert counted(tuple(range(21))).sure
    assert not counted((1, 1, 1)).sure
    assert counted((1, 1, 1, 1)).sure
