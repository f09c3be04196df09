import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlm_cli.tokens.reader import parse_sequence
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan
from spiritlm_cli.tokens.units import FrameUnits, Kind, Unit, Units


@given(st.sampled_from(Kind), st.integers(0, 10**18 - 1))
def test_str_of_a_unit_is_its_token(kind: Kind, unit_id: int) -> None:
    unit = Unit(kind, unit_id)
    assert parse_sequence(str(unit)) == Sequence((SpeechSpan((unit,)),))


@pytest.mark.parametrize(("kind", "prefix"), [(Kind.HUBERT, "Hu"), (Kind.PITCH, "Pi"), (Kind.STYLE, "St")])
def test_kind_values_are_token_prefixes(kind: Kind, prefix: str) -> None:
    assert kind.value == prefix
    assert Kind(prefix) is kind
    assert str(Unit(kind, 7)) == f"[{prefix}7]"


def test_units_compare_by_kind_and_id() -> None:
    assert Unit(Kind.HUBERT, 1) == Unit(Kind.HUBERT, 1)
    assert Unit(Kind.HUBERT, 1) != Unit(Kind.PITCH, 1)
    assert len({Unit(kind, unit_id) for kind in Kind for unit_id in (1, 2)} | {Unit(Kind.STYLE, 2)}) == 6


def test_unit_streams_default_to_phonetic_units_only() -> None:
    hubert = np.arange(3)
    for streams in (Units(hubert), FrameUnits(hubert)):
        assert (streams.pitch, streams.style) == (None, None)


def test_units_can_be_sent_to_other_processes() -> None:
    units = pickle.loads(pickle.dumps(Units(np.arange(4), np.arange(2), np.arange(1))))
    assert units.hubert.tolist() == [0, 1, 2, 3]
    assert units.pitch.tolist() == [0, 1]
    assert units.style.tolist() == [0]
