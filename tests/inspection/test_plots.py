import sys
import warnings

import inspection_fixtures
import numpy as np
import pytest
from plot_fixtures import clip, empty, line

from spiritlm_cli.errors import AudioError, MissingPackageError, OptionError
from spiritlm_cli.evaluation.similarity import SimilarityMatrix, WordPositions
from spiritlm_cli.inspection.plots import plot_clip, plot_similarity_matrix, plot_statistics
from spiritlm_cli.inspection.statistics import UnitStatistics


@pytest.mark.parametrize(
    ("suffix", "inspected"), [(".png", line(0.08)), (".svg", clip(0.16))], ids=["png", "svg"]
)
def test_plot_clip_is_deterministic(tmp_path, suffix, inspected):
    paths = [tmp_path / f"{name}{suffix}" for name in "ab"]
    for path in paths:
        plot_clip(inspected, path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert b"Date" not in paths[0].read_bytes()


def test_plot_clip_is_1200_pixels_wide(tmp_path):
    plot_clip(empty(), tmp_path / "a.PNG")
    content = (tmp_path / "a.PNG").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert int.from_bytes(content[16:20], "big") == 1200


def test_plot_clip_of_hostile_text(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot_clip(empty(["$\\frac{1$ 日本 <script>alert(1)</script> --> \x1b"]), tmp_path / "a.svg")
    content = (tmp_path / "a.svg").read_text()
    assert "<script" not in content
    assert "alert" not in content.replace("&lt;script&gt;alert(1)", "")


def test_plot_clip_refuses_other_formats(tmp_path):
    with pytest.raises(OptionError, match=r"\.png or a \.svg"):
        plot_clip(empty(), tmp_path / "a.pdf")


def test_plot_clip_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'spiritlm\[plot\]'"):
        plot_clip(empty(), tmp_path / "a.png")


def test_plot_statistics_is_deterministic(tmp_path):
    statistics = UnitStatistics.of(inspection_fixtures.clip([1, 2, 2]))
    for name in "ab":
        plot_statistics(statistics, tmp_path / f"{name}.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_plot_statistics_of_nothing(tmp_path):
    plot_statistics(UnitStatistics(), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("suffix", [".pdf", ""])
def test_plot_statistics_refuses_other_formats(tmp_path, suffix):
    with pytest.raises(OptionError, match=r"\.png or a \.svg"):
        plot_statistics(UnitStatistics(), tmp_path / f"a{suffix}")


def test_plot_clip_refuses_long_clips(tmp_path):
    long = clip(301, original=None, resynthesis=None, rebuilt_f0=None)
    with pytest.raises(AudioError, match=r"a: 301 s are too long.*manifest.*--html"):
        plot_clip(long, tmp_path / "a.png")


def test_plot_similarity_matrix_is_deterministic(tmp_path):
    matrix = SimilarityMatrix(np.eye(2, dtype=np.float32), ("a", "$b"), (WordPositions("a", (0,), (0,)),))
    for name in "ab":
        plot_similarity_matrix(matrix, "<$x", tmp_path / f"{name}.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with pytest.raises(OptionError, match=r"\.png or a \.svg"):
        plot_similarity_matrix(matrix, "", tmp_path / "a.pdf")
