import numpy as np
import pytest

from spiritlm_cli.interleaving.interleave import Utterance
from spiritlm_cli.manifests.clip import Alignment, Word
from spiritlm_cli.tokens.sequence import SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind, Units
from spiritlm_cli.training.aligned_units import AlignedUnits, frame_streams
from spiritlm_cli.training.pairs import speech_first, text_first

WORDS = tuple(Word(f"a{i}", i * 0.4, (i + 1) * 0.4) for i in range(12))
LONG = Utterance(
    "a",
    Units(np.arange(100, 112).repeat(10), np.full(60, 1), np.full(12, 2)),
    " ".join(word.word for word in WORDS) + ".",
    Alignment(WORDS),
)


def phonetic_ids(span: SpeechSpan) -> list[int]:
    return [unit.id for unit in span.units if unit.kind is Kind.HUBERT]


def test_frame_streams_repeats_pitch_and_style() -> None:
    units = Units(np.arange(30), np.arange(15), np.arange(2))
    assert frame_streams(units)[:, [0, 1, 2, 24, 25, 29]].tolist() == [
        [0, 1, 2, 24, 25, 29],
        [0, 0, 1, 12, 12, 14],
        [0, 0, 0, 0, 1, 1],
    ]
    assert frame_streams(Units(np.arange(3)))[1:].tolist() == [[-1] * 3] * 2


def test_cut_returns_words_and_their_units() -> None:
    pair = AlignedUnits.of(LONG).cut(2, 4)
    span, words = pair.speech()
    assert pair.text == "a2 a3"
    assert phonetic_ids(span) == [102, 103]
    assert [unit.kind for unit in span.units[:2]] == [Kind.STYLE, Kind.PITCH]
    assert words.tolist() == [0, 0, 0, 1]
    assert speech_first([pair]).sequence.spans == (span, TextSpan("a2 a3"))
    assert text_first([pair]).sequence.spans == (TextSpan("a2 a3"), span)


def test_of_needs_word_times() -> None:
    with pytest.raises(ValueError, match="a has no word times"):
        AlignedUnits.of(Utterance("a", LONG.units, LONG.text))


def test_join_and_phonetic() -> None:
    clip = AlignedUnits.of(LONG)
    joined = AlignedUnits.join([clip.cut(0, 2), clip.cut(5, 6)])
    assert joined.text == "a0 a1 a5"
    assert joined.bounds.tolist() == [0, 10, 20, 30]
    assert {unit.kind for unit in joined.phonetic().speech()[0].units} == {Kind.HUBERT}
