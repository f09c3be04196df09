"""Plots of clips, token lines and statistics, as PNG or SVG. They need matplotlib, of the extra `plot`."""

from collections.abc import Mapping
from pathlib import Path

from spiritlm_cli.errors import AudioError
from spiritlm_cli.evaluation.result import EvaluationResult
from spiritlm_cli.evaluation.similarity import LayerEstimates, SimilarityMatrix
from spiritlm_cli.inspection.inspected import Inspected
from spiritlm_cli.inspection.statistics import UnitStatistics
from spiritlm_cli.third_party import needs_extra

MAX_SECONDS = 300.0


def plot_clip(inspected: Inspected, path: Path) -> None:
    """Write the plot of a clip or token line, 1200 pixels wide, to a .png or .svg file.

    Raises OptionError for another suffix, AudioError for more than 5 minutes, MissingPackageError without matplotlib,
    and OSError if the file can't be written.
    """
    check_matplotlib()
    check_plot_length(inspected.id, max(inspected.seconds, inspected.timeline.seconds))
    from spiritlm_cli.inspection.figures.clip_figure import clip_figure
    from spiritlm_cli.inspection.figures.figure import check_suffix, figure_style, write_figure

    check_suffix(path)
    with figure_style():
        write_figure(clip_figure(inspected), path)


def plot_statistics(statistics: UnitStatistics, path: Path) -> None:
    """Write a plot of statistics, 1200 pixels wide, to a .png or .svg file. Raises as `plot_clip` does."""
    check_matplotlib()
    from spiritlm_cli.inspection.figures.figure import check_suffix, figure_style, write_figure
    from spiritlm_cli.inspection.figures.statistics_figure import statistics_figure

    check_suffix(path)
    with figure_style():
        write_figure(statistics_figure(statistics), path)


def plot_similarity(runs: Mapping[str, LayerEstimates], path: Path) -> None:
    """Write a plot of similarities over layers, by the name of each run. Raises as `plot_clip` does."""
    check_matplotlib()
    from spiritlm_cli.inspection.figures.figure import check_suffix, figure_style, write_figure
    from spiritlm_cli.inspection.figures.similarity_figure import similarity_figure

    check_suffix(path)
    with figure_style():
        write_figure(similarity_figure(runs), path)


def plot_similarity_matrix(matrix: SimilarityMatrix, title: str, path: Path) -> None:
    """Write a plot of the cosines of the pieces and the units of a sentence. Raises as `plot_clip` does."""
    check_matplotlib()
    from spiritlm_cli.inspection.figures.figure import check_suffix, figure_style, write_figure
    from spiritlm_cli.inspection.figures.similarity_figure import matrix_figure

    check_suffix(path)
    with figure_style():
        write_figure(matrix_figure(matrix, title), path)


def plot_stsp(result: EvaluationResult, path: Path) -> None:
    """Write a plot of the accuracies of `evaluate stsp` and of what was predicted. Raises as `plot_clip` does."""
    check_matplotlib()
    from spiritlm_cli.inspection.figures.figure import check_suffix, figure_style, write_figure
    from spiritlm_cli.inspection.figures.stsp_figure import stsp_figure

    check_suffix(path)
    with figure_style():
        write_figure(stsp_figure(result), path)


def check_plot_length(id: str, seconds: float) -> None:  # noqa: A002
    """Raise AudioError for a clip that is too long for a plot."""
    if seconds > MAX_SECONDS:
        raise AudioError(
            f"{id}: {seconds:.0f} s are too long for a plot, which has at most {MAX_SECONDS:.0f} s; plot an interval, "
            "with start and end in a manifest, or write a page with --html"
        )


def check_matplotlib() -> None:
    """Raise MissingPackageError, which says how to install it, if matplotlib is missing."""
    with needs_extra("matplotlib", extra="plot", purpose="plots"):
        import matplotlib  # noqa: F401
