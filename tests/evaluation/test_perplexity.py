"""Perplexity of tokens, by modality and kind of unit."""

import math
from pathlib import Path

import pytest

from spiritlm_cli.evaluation.perplexity import Tally, perplexity_record, result, tally, windows
from spiritlm_cli.evaluation.records import RunDescription
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.tokens.reader import parse_sequence

DESCRIPTION = RunDescription("perplexity", "1.0")


@pytest.fixture(scope="module")
def lm(small_release: Path) -> LanguageModel:
    return LanguageModel.load(str(small_release), device="cpu")


def test_perplexity_is_over_all_tokens() -> None:
    lines = [(parse_sequence("a b c"), Tally(-6.0, 3)), (parse_sequence("d"), Tally(-2.0, 1))]
    found = result(DESCRIPTION, [perplexity_record(line, {"text": one}) for line, one in lines])
    (row,) = found.rows
    assert row.values["perplexity"].value == pytest.approx(7.389, abs=1e-3)
    assert row.values["bits_per_byte"].value == pytest.approx(8 / math.log(2) / 6)
    assert row.values["bits_per_word"].value == pytest.approx(8 / math.log(2) / 4)
    assert "bits_per_second" not in row.values
    assert found.counts == {"tokens": 4}


def test_result_by_modality_and_kind_of_unit() -> None:
    sequence = parse_sequence("[TEXT]é[SPEECH][St1][Pi2][Hu3][Hu4]")
    tallies = {
        "text": Tally(-1.0, 1), "Hu": Tally(-4.0, 2), "Pi": Tally(-0.5, 1), "St": Tally(-0.25, 1)
    }  # fmt: skip
    found = result(DESCRIPTION, [perplexity_record(sequence, tallies)])
    values = {(row.kind, row.name): row.values["perplexity"].value for row in found.rows}
    assert values == {
        (None, "all tokens"): pytest.approx(math.exp(5.75 / 5)),
        ("modality", "text"): pytest.approx(math.e),
        ("modality", "speech"): pytest.approx(math.exp(4.75 / 4)),
        ("units", "phonetic (Hu)"): pytest.approx(math.exp(2)),
        ("units", "pitch (Pi)"): pytest.approx(math.exp(0.5)),
        ("units", "style (St)"): pytest.approx(math.exp(0.25)),
    }
    assert found.row("text", "modality").values["bits_per_byte"].value == pytest.approx(0.5 / math.log(2))
    assert "bits_per_byte" not in found.row("all tokens").values


def test_bits_per_second_of_audio() -> None:
    sequence = parse_sequence("[SPEECH][Hu3]")
    records = [perplexity_record(sequence, {"Hu": Tally(-value, 2)}, seconds=0.25) for value in (1.0, 3.0)]
    (row,) = result(DESCRIPTION, records).rows
    assert row.values["bits_per_second"].value == pytest.approx(4 / math.log(2) / 0.5)
    assert row.values["bits_per_second"].low == pytest.approx(1 / math.log(2) / 0.25)


def test_tally_leaves_out_markers(lm: LanguageModel) -> None:
    ids = lm.vocabulary.encode(parse_sequence("[TEXT]a[SPEECH][St1][Hu3][Hu4]"))
    found = tally([(ids[:2], [-100.0, -100.0]), (ids[2:], [-1.0, -100.0, -2.0, -3.0, -4.0])], lm.vocabulary)
    assert found == {"text": Tally(-1.0, 1), "St": Tally(-2.0, 1), "Hu": Tally(-7.0, 2)}


@pytest.mark.parametrize("length", [1, 7, 8, 9, 11, 12, 40])
def test_windows_score_each_id_once(length: int, lm: LanguageModel) -> None:
    units = "".join(f"[Hu{number}]" for number in range(length))
    ids = lm.vocabulary.encode(parse_sequence(f"[SPEECH]{units}[TEXT]abc"))
    parts = list(windows(ids, lm.vocabulary, 8))
    assert [token for part in parts for token in part.ids[part.context :]] == ids[1:]
    assert all(len(part.ids) <= 8 for part in parts)
    for part in parts:
        assert part.ids[0] == lm.vocabulary.bos_id
        assert part.ids[1] in lm.vocabulary.marker_ids.values()
        assert part.context >= (1 if part is parts[0] else 4)
