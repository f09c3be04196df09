import numpy as np
from plot_fixtures import texts

from spiritlm_cli.evaluation.estimate import Estimate
from spiritlm_cli.evaluation.similarity import LayerEstimates, SimilarityMatrix, WordPositions
from spiritlm_cli.inspection.figures.similarity_figure import matrix_figure, similarity_figure


def layers(*gaps):
    values = tuple(Estimate(gap, gap - 0.1, gap + 0.1, 4) for gap in gaps)
    return LayerEstimates(values, tuple(Estimate(0.0) for _ in gaps), values)


def test_similarity_figure_has_the_curves_of_each_run():
    figure = similarity_figure({"one": layers(0.1, 0.3), "<two>": layers(0.2, 0.1, 0.0)})
    similarity, gap = figure.axes
    curves = [line.get_ydata().tolist() for line in similarity.lines]
    assert curves == [[0.1, 0.3], [0.0, 0.0], [0.2, 0.1, 0.0], [0.0, 0.0, 0.0]]
    assert [line.get_ydata().tolist() for line in gap.lines[:2]] == [[0.1, 0.3], [0.2, 0.1, 0.0]]
    assert {"one", "<two>"} <= set(texts(figure))


def test_matrix_figure_frames_the_words():
    words = (WordPositions("cat", (1, 2), (0, 1, 2)),)
    matrix = SimilarityMatrix(np.zeros((3, 5), np.float32), ("The", " ca", "t"), words)
    figure = matrix_figure(matrix, "sentence")
    axes = figure.axes[0]
    frame = axes.patches[0]
    assert (frame.get_xy(), frame.get_width(), frame.get_height()) == ((-0.5, 0.5), 3, 2)
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["The", "▁ca", "t"]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["cat"]
