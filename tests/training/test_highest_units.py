import numpy as np
import pytest

from spiritlm_cli.errors import TokenError
from spiritlm_cli.language.speech_vocabulary import SpeechVocabulary
from spiritlm_cli.tokens.reader import parse_sequence
from spiritlm_cli.tokens.units import Units
from spiritlm_cli.training.highest_units import HighestUnits


@pytest.fixture
def vocabulary() -> SpeechVocabulary:
    """Of the units [Hu0] to [Hu9]."""
    return SpeechVocabulary(10, "toy")


def test_check_names_the_place_of_the_highest_unit(vocabulary: SpeechVocabulary) -> None:
    highest = HighestUnits()
    highest.add_sequence(parse_sequence("[Hu3][Hu9]a[Hu1]"), "a.txt: line 1")
    highest.check(vocabulary)
    highest.add_sequence(parse_sequence("a[Hu1][Hu10]"), "a.txt: line 2")
    highest.add_units(Units(np.array([10])), "b.jsonl: clip")
    with pytest.raises(TokenError, match=r"^a\.txt: line 2: \[Hu10\]: the model has \[Hu0\] to \[Hu9\]"):
        highest.check(vocabulary)


def test_check_refuses_units_of_a_kind_that_is_missing(vocabulary: SpeechVocabulary) -> None:
    highest = HighestUnits()
    highest.add_units(Units(np.array([1, 2]), np.array([0]), np.array([], dtype=np.int64)), "b.jsonl: clip")
    with pytest.raises(TokenError, match=r"b\.jsonl: clip: \[Pi0\]: the model has no Pi units"):
        highest.check(vocabulary)
