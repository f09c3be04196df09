from dataclasses import replace
from pathlib import Path

import pytest

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.evaluate_pairs import PairsOptions


@pytest.mark.parametrize(
    ("given", "option"), [({"output": Path("-")}, "--items"), ({"resume": True}, "--resume")]
)
def test_check(tmp_path: Path, given: dict[str, object], option: str) -> None:
    with pytest.raises(OptionError) as error:
        PairsOptions(path=tmp_path, **given).check()  # type: ignore[arg-type]
    assert error.value.option == option


def test_stdin_can_not_be_read_by_a_cluster() -> None:
    with pytest.raises(OptionError, match="stdin") as error:
        PairsOptions(path=Path("-"), ray="local").check()
    assert error.value.option == "--ray"


def test_with_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pairs.tsv").touch()
    options = PairsOptions(path=Path("pairs.tsv"))
    assert list(options.read_paths("input")) == [("path", Path("pairs.tsv"))]
    assert options.with_absolute_paths() == replace(options, path=tmp_path / "pairs.tsv")
    # what is not there may be a name
    gone = PairsOptions(path=Path("gone"))
    assert gone.with_absolute_paths() == gone
