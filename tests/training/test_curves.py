import json
from pathlib import Path

import numpy as np

from spiritlm_cli.training.curves import POINTS, Curve, Curves, smooth


def test_curve_joins_points_of_a_long_training() -> None:
    curve = Curve()
    for step in range(5 * POINTS):
        curve.add(step, float(step))
    steps, values = curve.points()
    assert curve.width == 4
    assert POINTS < len(steps) < 2 * POINTS
    # each point is the mean of its steps
    assert np.array_equal(steps, values)
    assert steps[0] == 1.5
    assert curve.points()[0][-1] == 5 * POINTS - 2.5


def test_smooth_of_a_constant_is_the_constant() -> None:
    assert np.allclose(smooth(np.full(300, 2.0)), 2.0)
    values = np.random.default_rng(0).normal(size=500)
    assert smooth(values)[0] == values[0]
    assert smooth(values)[50:].std() < values.std() / 2


def test_curves_read_new_lines_only(tmp_path: Path) -> None:
    path = tmp_path / "lm.metrics.jsonl"
    path.touch()
    curves = Curves(path)
    curves.update()
    assert (curves.last, curves.by_name) == (0, {})
    with path.open("a") as file:
        for step in (1, 2):
            file.write(json.dumps({"step": step, "loss": 1 / step, "gradient_norm": None}) + "\n")
            file.flush()
            curves.update()
            curves.update()
    assert curves.last == 2
    assert list(curves.by_name) == ["loss"]
    assert [points.tolist() for points in curves.by_name["loss"].points()] == [[1, 2], [1, 0.5]]
