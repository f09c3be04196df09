from math import log
from typing import Any

import pytest

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.continuation_report import result
from spiritlm_cli.evaluation.records import RunDescription

TEXTS = ("the cat sat the cat ran", "the cat sat down", "dogs ran the race")
DESCRIPTION = RunDescription("continuation", "0", settings={"tokens": "regex"})


def record(text: str, mean: float, temperature: float | None = 0.8, **fields: Any) -> dict[str, Any]:
    tokens = len(text.split())
    return {
        "id": f"{text}@{temperature}",
        "temperature": temperature,
        "prompt": "",
        "text": text,
        "continuation": text,
        "nll": mean * tokens,
        "text_tokens": tokens,
        "nll_continuation": 2 * mean * tokens,
        "continuation_tokens": tokens,
        **fields,
    }


def test_result() -> None:
    found = result(DESCRIPTION, [record(text, mean) for text, mean in zip(TEXTS[:2], (2, 4), strict=True)])
    values = found.row("temperature 0.8").values
    assert values["ppl_gslm"].value == pytest.approx(30.994, abs=5e-4)
    assert values["ppl_slamkit"].value == pytest.approx(20.086, abs=5e-4)
    alone = found.row("temperature 0.8, continuation alone").values
    assert alone["ppl_slamkit"].value == pytest.approx(20.086**2, rel=1e-4)
    assert found.notes[1] == "PPL of temperature 0.8: median 31.0, 10th percentile 12.1, 90th 49.9."

    values = result(DESCRIPTION, [record(text, 1) for text in TEXTS]).row("temperature 0.8").values
    assert values["self_bleu"].value == pytest.approx(0.4078, abs=5e-5)
    assert values["auto_bleu"].value == pytest.approx(0.1721, abs=5e-5)
    assert values["vert"].value == pytest.approx(0.2650, abs=5e-5)
    assert values["auto_bleu_slamkit"].value == pytest.approx(0.4 / 3, abs=5e-5)


def test_result_counts_empty_transcripts() -> None:
    empty = record("", 0, truncated=3, context=64)
    found = result(DESCRIPTION, [record(TEXTS[0], 2, finished=False), empty])
    row = found.row("temperature 0.8")
    assert (row.items, row.values["ppl_gslm"].count) == (2, 1)
    assert "1 of 2 continuations have an empty transcript." in found.notes
    assert "1 of 1 prompts were cut to fit into the model's context of 64 tokens." in found.notes
    assert "1 of 2 continuations ended at the limit on tokens." in found.notes
    assert "ppl_gslm" not in result(DESCRIPTION, [empty]).row("temperature 0.8").values


def test_result_where_verts_are_equal() -> None:
    """Texts that repeat themselves more at a lower temperature."""
    originals, low, high = (
        [record(text, log(perplexity), temperature, id=f"{clip}@") for clip, text in enumerate(texts)]
        for perplexity, temperature, texts in (
            (40, None, ("a b a b", "a b c d")),
            (10, 0.5, ("a b a b", "a b a b")),
            (50, 1.0, ("a b c d", "a c b d")),
        )
    )
    found = result(DESCRIPTION, [*high, *low, *originals])
    assert [row.name for row in found.rows[:3]] == [
        "the clips themselves",
        "temperature 0.5",
        "temperature 1",
    ]
    verts = [row.values["vert"].value for row in found.rows[:3]]
    share = (verts[1] - verts[0]) / (verts[1] - verts[2])
    assert f"PPL at the VERT of the clips: {10 + 40 * share:.1f}." in found.notes
    assert (
        f"VERT at the PPL of the clips: {100 * (verts[1] + 0.75 * (verts[2] - verts[1])):.1f}." in found.notes
    )
    found = result(DESCRIPTION, [*high, *low, *(one | {"nll": 40.0} for one in originals)])
    assert "VERT at the PPL of the clips: outside of the temperatures." in found.notes


def test_result_is_over_clips_with_all_temperatures() -> None:
    records = [
        record(TEXTS[clip], 1, temperature, id=f"{clip}@{temperature}")
        for clip, temperature in ((0, 0.3), (0, 0.8), (1, 0.3), (1, 0.8), (2, 0.3))
    ]
    found = result(DESCRIPTION, records)
    assert found.title == "continuation: 4 items, 2 clips"
    assert [row.items for row in found.rows] == [2, 2, 2, 2]
    assert "1 of 3 clips are left out, since some of their items were skipped." in found.notes
    with pytest.raises(ManifestError, match="no clip has records of all temperatures"):
        result(DESCRIPTION, [records[1], records[4]])


def test_result_of_one_text_has_no_self_bleu() -> None:
    values = result(DESCRIPTION, [record(TEXTS[0], 1), record(TEXTS[0], 1, None)]).rows[0].values
    assert {"self_bleu", "vert"}.isdisjoint(values)
    assert {"ppl_gslm", "auto_bleu"} <= set(values)
