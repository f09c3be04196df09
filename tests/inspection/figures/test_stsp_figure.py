import pytest
from plot_fixtures import texts

from spiritlm_cli.evaluation.records import RunDescription
from spiritlm_cli.evaluation.stsp_directions import DIRECTIONS
from spiritlm_cli.evaluation.stsp_report import result
from spiritlm_cli.inspection.figures.stsp_figure import stsp_figure


def record(direction, reference, pred, item):
    return {
        "set": "set",
        "item": item,
        "direction": direction,
        "run": 0,
        "reference": reference,
        "input": reference,
        "pred": pred,
        "truncated": 0,
        "context": 64,
        "generation": "words",
        "finished": True,
    }


def test_stsp_figure_has_accuracies_and_matrices():
    records = [
        record(direction, "negative", pred, item)
        for direction in DIRECTIONS
        for item, pred in enumerate(("negative", "negative", "neutral", "positive"))
    ]
    figure = stsp_figure(result(RunDescription("stsp", "0", settings={"shots": 0}), records))
    accuracy, *matrices = figure.axes
    assert [bar.get_height() for bar in accuracy.patches] == pytest.approx([50] * 4)
    assert [axes.get_label() for axes in matrices] == ["T→T", "T→S", "S→T", "S→S"]
    shown = [text.get_text() for text in matrices[0].texts]
    assert shown == ["50", "25", "25"]  # of the other sentiments there are no inputs
    assert "published: Expressive" in [text.get_text() for text in accuracy.get_legend().get_texts()]
    assert any(text.startswith("Sentiment preserved") for text in texts(figure))


def test_stsp_figure_of_one_direction():
    records = [record("s2s", "neutral", "neutral", 0)]
    figure = stsp_figure(result(RunDescription("stsp", "0", settings={"shots": 3}), records))
    assert len(figure.axes) == 2
