from pathlib import Path

import pytest

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options import SimilarityOptions


def test_check(tmp_path: Path) -> None:
    SimilarityOptions(data=tmp_path, plot=tmp_path / "a.svg", compare=(tmp_path,)).check()
    with pytest.raises(FileNotFoundError, match="gone"):
        SimilarityOptions(data=Path("gone.tsv")).check()


@pytest.mark.parametrize(
    ("values", "flag"),
    [
        ({"compare": (Path(),)}, "--compare"),
        ({"matrix_layer": 3}, "--matrix-layer"),
        ({"plot": Path("layers.pdf")}, "--plot"),
        ({"matrix": Path("gone/matrix.png")}, "--matrix"),
    ],
)
def test_check_names_the_option(tmp_path: Path, values: dict[str, object], flag: str) -> None:
    with pytest.raises(OptionError) as error:
        SimilarityOptions(data=tmp_path, **values).check()  # type: ignore[arg-type]
    assert error.value.option == flag
