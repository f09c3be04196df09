import json
from pathlib import Path

import pytest
from matplotlib.axes import Axes
from plot_fixtures import texts

from spiritlm_cli.inspection.figures.figure import figure_style
from spiritlm_cli.training.curves import Curves
from spiritlm_cli.training.run_figure import plot_run, run_figure


def curves(path: Path, *lines: dict[str, float]) -> Curves:
    path.write_text("".join(json.dumps({"step": i, **line}) + "\n" for i, line in enumerate(lines, 1)))
    read = Curves(path)
    read.update()
    return read


def panels(read: Curves) -> dict[str, Axes]:
    with figure_style():
        return {axes.get_label(): axes for axes in run_figure(read, "lm, new").axes}


def test_run_figure_has_a_panel_for_each_kind_of_value(tmp_path: Path) -> None:
    loop = {"learning_rate": 1e-3, "gradient_norm": 2.0, "tokens": 8, "tokens_per_second": 90.0}
    line = {"loss": 2.0, "text": 3.0, **loop}
    read = curves(tmp_path / "a", line, line | {"loss": 1.0, "valid_loss": 1.5, "valid_wer": 0.25})
    drawn = panels(read)
    assert list(drawn) == [
        "loss", "held-out word error rate", "learning rate", "norm of the gradient", "tokens per second"
    ]  # fmt: skip
    legend = drawn["loss"].get_legend()
    assert legend
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["loss 1.269", "text 3", "held-out loss 1.5"]
    assert drawn["loss"].get_xlim() == (0, 2)
    with figure_style():
        assert texts(run_figure(read, "lm, new")) == ["lm, new: 2 steps"]


def test_losses_that_differ_by_more_than_ten_times_have_a_logarithmic_axis(tmp_path: Path) -> None:
    assert panels(curves(tmp_path / "a", {"mel": 0.9, "features": 8.0}))["loss"].get_yscale() == "linear"
    assert panels(curves(tmp_path / "b", {"mel": 0.5, "features": 8.0}))["loss"].get_yscale() == "log"


@pytest.mark.parametrize(
    "line", [{"loss": 0.0, "gradient_norm": 0.0}, {"accuracy": 0.0, "f0_error_hz": -1.0}]
)
def test_plot_run_of_one_step_is_deterministic(tmp_path: Path, line: dict[str, float]) -> None:
    read = curves(tmp_path / "a", line)
    for name in ("a.png", "b.png"):
        plot_run(read, "lm, $x", tmp_path / name)
    content = (tmp_path / "a.png").read_bytes()
    assert content == (tmp_path / "b.png").read_bytes()
    assert int.from_bytes(content[16:20], "big") == 1200


def test_run_figure_marks_spikes_beyond_the_axis(tmp_path: Path) -> None:
    lines = [{"loss": 2.0 + 0.01 * (i % 3)} for i in range(60)]
    lines[40] = {"loss": 90.0}
    axes = panels(curves(tmp_path / "a", *lines))["loss"]
    assert axes.get_ylim()[1] < 90
    (marks,) = (line for line in axes.lines if line.get_marker() == "^")
    assert marks.get_xdata().tolist() == [41]  # type: ignore[union-attr]
    assert not [line for line in axes.lines if line.get_marker() == "v"]
